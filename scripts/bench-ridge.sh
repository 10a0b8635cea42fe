#!/bin/sh
# Measures a cross-validated ridge fit by this program (the whole command fit, with its diagnostics), by numpy in
# two ways and by scikit-learn, in turn and on the same files, and prints how many times as fast this program is.
#
#	scripts/bench-ridge.sh [ROUNDS [N D E [LAMBDAS]]]     1 round of 5000 3584 4096 and 0.01,0.1,1,10
#
# PYTHON names an interpreter that has numpy, scipy and scikit-learn; WAYS whom to compare with: "maps rows
# sklearn", or some of them (see pipelines/testdata/peer/ridge.py).
set -eu
rounds=${1:-1} n=${2:-5000} d=${3:-3584} e=${4:-4096} lambdas=${5:-0.01,0.1,1,10} python=${PYTHON:-python3} ways=${WAYS-maps rows sklearn}
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
GOEXPERIMENT=simd go build -o "$dir/runpipeline" ./cmd/runpipeline
peer=pipelines/testdata/peer/ridge.py
"$python" $peer make "$n" "$d" "$e" "$dir"
# Penalties are absolute and the same for every fold, which all ways understand.
penalties=$("$python" -c 'import sys; print(",".join(str(float(l) * float(sys.argv[2])) for l in sys.argv[1].split(",")))' "$lambdas" "$("$python" $peer unit "$dir")")
for round in $(seq "$rounds"); do
	"$python" - "$dir" "$penalties" >"$dir/ours$round.json" <<'END'
import json, resource, subprocess, sys, time

folder, penalties = sys.argv[1:]
begun = time.time()
subprocess.run([folder + "/runpipeline", "fit", "-source", folder + "/x.npy", "-target", folder + "/y.npy", "-out", folder + "/map.safetensors",
                "-json", folder + "/report.json", "-set", "lambda_unit=absolute", "-set", f"lambda_values=[{penalties}]"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
seconds, scores = time.time() - begun, json.load(open(folder + "/report.json"))["cross_validation"]["scores"]
print(json.dumps({"seconds": seconds, "mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, "scores": {s["lambda"]: s["r2"] for s in scores}}))
END
	for way in $ways; do "$python" $peer "$way" "$dir" "$penalties" >"$dir/$way$round.json"; done
done
# shellcheck disable=SC2086
"$python" - "$dir" "$rounds" "$n pairs, $d x $e, lambdas $lambdas" $ways <<'END'
import json, statistics, sys
import numpy, scipy, sklearn

folder, rounds, what, *ways = sys.argv[1:]
runs = {w: [json.load(open(f"{folder}/{w}{r + 1}.json")) for r in range(int(rounds))] for w in ["ours"] + ways}
print(f"{what}; numpy {numpy.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}; seconds are medians (least)")
median = {w: statistics.median(r["seconds"] for r in rs) for w, rs in runs.items()}
for w, rs in runs.items():
    apart = max(abs(a - b) for a, b in zip(rs[0]["scores"].values(), runs["ours"][0]["scores"].values()))
    print(f"{w:8} {median[w]:7.1f} s ({min(r['seconds'] for r in rs):.1f})  {max(r['mib'] for r in rs):6.0f} MiB  "
          f"{median[w] / median['ours']:.2f} of ours, scores apart by {apart:.1e}")
END
