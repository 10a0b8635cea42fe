#!/bin/sh
# Runs a small experiment, pipelines/testdata/peer/experiment.json, with this program and with transformers in
# turn, and prints the wall and processor seconds of each and how many times as fast this program is.
#
#	scripts/peer-experiment.sh [ROUNDS]      3 rounds, each with an empty store
#
# Needs the files of scripts/fetch-models.sh in models/. PYTHON names an interpreter that has torch,
# transformers, accelerate and gguf.
set -eu
rounds=${1:-3} python=${PYTHON:-python3}
cd "$(dirname "$0")/.."
peer=pipelines/testdata/peer
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
GOEXPERIMENT=simd go build -o "$dir/runpipeline" ./cmd/runpipeline
"$python" $peer/experiment.py convert "$dir/models"
"$python" - "$dir" "$rounds" "$python" $peer <<'END'
import json, os, statistics, subprocess, sys, time
import torch, transformers

folder, rounds, python, peer = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]


def timed(command):
    """Wall and processor seconds of a command; what it says is shown if it fails."""
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(done.stdout.decode(errors="replace") + f"{command[0]} ended with {done.returncode}")
    after = os.times()
    return time.perf_counter() - start, after.children_user + after.children_system - before.children_user - before.children_system


ours, theirs = [], []
for r in range(rounds):
    out = f"{folder}/ours{r}"
    ours.append(timed([f"{folder}/runpipeline", "-quiet", "-config", f"{peer}/experiment.json", "-cache", f"{folder}/store{r}", "-set", f"output_dir={json.dumps(out)}"]))
    theirs.append(timed([python, f"{peer}/experiment.py", "run", f"{folder}/models", f"{folder}/peer{r}.json"]))

run, peer = json.load(open(f"{folder}/ours{rounds - 1}/run.json")), json.load(open(f"{folder}/peer{rounds - 1}.json"))
print(f"transformers {transformers.__version__}, torch {torch.__version__}; {rounds} rounds: median (least)")
print(f"{'':18}{'ours':>18}{'transformers':>18}{'ratio':>8}")
for i, what in enumerate(("wall seconds", "processor seconds")):
    a, b = [x[i] for x in ours], [x[i] for x in theirs]
    show = lambda v: f"{statistics.median(v):.1f} ({min(v):.1f})"
    print(f"{what:18}{show(a):>18}{show(b):>18}{statistics.median(b) / statistics.median(a):8.2f}")
print("seconds of each part in the last round; of ours, parts overlap:")
print("  ours          " + ", ".join(f"{s['stage']} {s['seconds']:.1f}" for s in run["stages"] if s["seconds"] >= 0.05))
print("  transformers  " + ", ".join(f"{name} {s:.1f}" for name, s in peer["seconds"].items()))
END
