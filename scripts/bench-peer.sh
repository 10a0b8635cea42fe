#!/bin/sh
# Measures this program, transformers and, for a .gguf file, llama.cpp in turn on one model, and prints how
# many times as fast this program is: the ratios of the medians of all rounds.
#
#	scripts/bench-peer.sh MODEL [ROUNDS]      MODEL: a .gguf file, a folder or tiny:llama; 3 rounds
#
# PYTHON names an interpreter that has torch and transformers, accelerate for a .gguf file, and
# llama-cpp-python if llama.cpp is to be measured; PEER further flags of transformers' script (--bf16).
set -eu
model=$1 rounds=${2:-3} python=${PYTHON:-python3}
case $model in tiny:* | /*) ;; *) model=$PWD/$model ;; esac
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
GOEXPERIMENT=simd go build -o "$dir/runpipeline" ./cmd/runpipeline
peer=$model llama=false
case $model in
tiny:*) peer=gpu/tiny/${model#tiny:} ;;
*.gguf) if "$python" -c 'import llama_cpp' 2>/dev/null; then llama=true; else echo "$python has no llama_cpp: llama.cpp is left out" >&2; fi ;;
esac
for round in $(seq "$rounds"); do
	"$dir/runpipeline" bench -json -model "$model" >"$dir/ours$round.json"
	# shellcheck disable=SC2086
	"$python" gpu/testdata/peer.py ${PEER:-} --bench "$dir/ours$round.json" "$peer" >"$dir/transformers$round.json"
	if $llama; then "$python" gpu/testdata/llama.py --bench "$dir/ours$round.json" "$model" >"$dir/llama.cpp$round.json"; fi
done
"$python" - "$dir" "$rounds" <<'END'
import json, os, statistics, sys

folder, rounds = sys.argv[1], int(sys.argv[2])
read = lambda who: [json.load(open(f"{folder}/{who}{r + 1}.json")) for r in range(rounds)]
who = [w for w in ("ours", "transformers", "llama.cpp") if os.path.exists(f"{folder}/{w}1.json")]
runs = {w: read(w) for w in who}
first = {w: runs[w][0] for w in who}
head = [f"{first['ours']['model']}: ours with kernels {first['ours']['kernels']} on {first['ours']['cores']} cores",
        f"transformers {first['transformers']['transformers']} with torch {first['transformers']['torch']}, {first['transformers']['dtype']}"]
if "llama.cpp" in who:
    head.append(f"llama.cpp of llama-cpp-python {first['llama.cpp']['llama_cpp_python']}")
print("; ".join(head))
print("median of all rounds in tokens/s (best of all); loading in 1/s; a ratio of medians above 1 says that ours is faster")
print(f"{'work':12}" + "".join(f"{w:>22}" for w in who) + "".join(f"{'/ ' + w:>16}" for w in who[1:]))


def rates(w, name):
    """The rate of each round's median, and the best of all."""
    rows = [row for run in runs[w] for row in run["work"] if row["name"] == name]
    amount = lambda row: row.get("texts", 1) * row.get("tokens", 1)
    return [amount(row) / row["seconds_median"] for row in rows], max((amount(row) / row["seconds_min"] for row in rows), default=0)


for name in (row["name"] for row in first["ours"]["work"]):
    line, medians = f"{name:12}", {}
    for w in who:
        each, best = rates(w, name)
        medians[w] = statistics.median(each) if each else None
        line += f"{f'{medians[w]:.4g} ({best:.4g})' if each else '–':>22}"
    print(line + "".join(f"{'–' if medians[w] is None else format(medians['ours'] / medians[w], '.2f'):>16}" for w in who[1:]))
END
