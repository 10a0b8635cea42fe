#!/bin/sh
# Measures this program and transformers in turn on one model, and prints how many times as fast this
# program is: the ratios of the medians of all rounds.
#
#	scripts/bench-peer.sh MODEL [ROUNDS]      MODEL: a .gguf file, a folder or tiny:llama; 3 rounds
#
# PYTHON names an interpreter that has torch and transformers, PEER further flags of the peer (--bf16).
set -eu
model=$1 rounds=${2:-3}
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
GOEXPERIMENT=simd go build -o "$dir/runpipeline" ./cmd/runpipeline
case $model in
tiny:*) peer=gpu/tiny/${model#tiny:} ;;
*) peer=$model ;;
esac
for round in $(seq "$rounds"); do
	"$dir/runpipeline" bench -json -model "$model" >"$dir/ours$round.json"
	# shellcheck disable=SC2086
	"${PYTHON:-python3}" gpu/testdata/peer.py ${PEER:-} --bench "$dir/ours$round.json" "$peer" >"$dir/peer$round.json"
done
"${PYTHON:-python3}" - "$dir" "$rounds" <<'END'
import json, statistics, sys

folder, rounds = sys.argv[1], int(sys.argv[2])
read = lambda who: [json.load(open(f"{folder}/{who}{r + 1}.json")) for r in range(rounds)]
ours, peer = read("ours"), read("peer")
print(f"{ours[0]['model']}, kernels {ours[0]['kernels']}, {ours[0]['cores']} cores; transformers {peer[0]['transformers']}, torch {peer[0]['torch']}, {peer[0]['dtype']}")
print(f"{'work':12}{'ours':>10}{'peer':>10}{'ratio':>8}   tokens/s, load in 1/s")
for i, work in enumerate(ours[0]["work"]):
    rate = lambda runs: statistics.median(r["work"][i].get("tokens_per_second", 1 / r["work"][i]["seconds_median"]) for r in runs)
    a, b = rate(ours), rate(peer)
    print(f"{work['name']:12}{a:10.4g}{b:10.4g}{a / b:8.2f}")
END
