#!/usr/bin/env bash
# Measures a device in one call, on a machine that may have neither Go nor a network.
#
#	scripts/bench-device.sh build          where Go is: makes bench-device/ anew, with the programs, compressed: 45 MB
#	scripts/bench-device.sh [STEP…]        on the machine with the device, in the same tree; check 135m 7b peer
#
#	check         the devices there are; small models of three families and continued texts against the float64 reference
#	SHAPE         tiny, 135m, 0.5b or 7b: a model folder of random weights is written if it is not there, and measured
#	peer          transformers on what was measured, and the ratios; needs torch and transformers
#	experiment    a twentieth and a tenth of an experiment of 5,000 pairs and 6,750 texts of 100 tokens, its texts scored,
#	              from one 7B model to itself; the seconds of each stage, and what the whole would take on a straight line
#
# All steps but the last have LIMIT seconds together (300), and a share of it each; each says what it took, and the next
# begins if one fails. Environment:
#
#	DEVICE=cuda:bf16     as -device takes it; without PJRT_CUDA_PLUGIN the plugin is that of python's site-packages
#	PYTHON=python3
#	EXPERIMENT=7b        the shape; EXPERIMENT_LIMIT=560 seconds for it
#	MODELS=…             where model folders and stores are: /dev/shm if it has 20 GB, else bench-device/models; weights
#	                     were just written, so they are in the page cache
#	OUT=bench-device/out results, what tests and runs said, and JSON
#	BENCH_FLAGS=…        of runpipeline bench
#
# To try it without a card: PJRT_CPU_PLUGIN=… DEVICE=xla-cpu:bf16 EXPERIMENT=tiny LIMIT=900 BENCH_FLAGS='-texts 4,8
# -batches 2 -repeat 1' scripts/bench-device.sh check tiny peer experiment
set -u
cd "$(dirname "$0")/.." || exit 1
programs=$PWD/bench-device
if [ "${1:-}" = build ]; then
	set -e
	rm -rf "$programs"
	mkdir -p "$programs"
	export GOEXPERIMENT=simd
	go build -ldflags='-s -w' -o "$programs/runpipeline" ./cmd/runpipeline
	go build -ldflags='-s -w' -o "$programs/randommodel" ./scripts/randommodel
	go test -c -ldflags='-s -w' -o "$programs/xla.test" ./gpu/xla
	gzip "$programs"/*
	exec ls -l "$programs"
fi

device=${DEVICE:-cuda:bf16} python=${PYTHON:-python3} limit=${LIMIT:-300} experiment=${EXPERIMENT:-7b}
out=${OUT:-$programs/out}
mkdir -p "$out"
models=${MODELS:-$programs/models}
if [ -z "${MODELS:-}" ] && [ "$(df --output=avail -B1000000000 /dev/shm 2>/dev/null | tail -1)" -ge 20 ] 2>/dev/null; then models=/dev/shm/bench-device; fi
mkdir -p "$models"
for p in runpipeline randommodel xla.test; do
	if [ ! -e "$programs/$p" ]; then gzip -dc "$programs/$p.gz" >"$programs/$p" && chmod +x "$programs/$p" || exit 1; fi
done
case $device in
cuda*)
	if [ -z "${PJRT_CUDA_PLUGIN:-}" ]; then
		PJRT_CUDA_PLUGIN=$("$python" -c 'import glob, site; print(*[p for s in site.getsitepackages() for p in glob.glob(s + "/jax_plugins/xla_cuda*/xla_cuda_plugin.so")][:1])')
		if [ -n "$PJRT_CUDA_PLUGIN" ]; then export PJRT_CUDA_PLUGIN; fi
	fi
	plugin=${PJRT_CUDA_PLUGIN:-} test_cuda=1
	export GOPJRT_CUDA_CHECKS=0 # its warning of a folder that this plugin does not need
	;;
*) plugin=${PJRT_CPU_PLUGIN:-} test_cuda= ;;
esac
export HF_HUB_OFFLINE=1

now() { date +%s.%N; }
since() { echo "$1 $(now)" | awk '{printf "%.1f", $2 - $1}'; }
begun=$(now)

# step NAME SECONDS COMMAND… runs a command for so many of 300 seconds at most, and for no longer than all steps have.
step() {
	local name=$1 most=$2 at rc
	shift 2
	most=$(echo "$most $limit $(since "$begun")" | awk '{m = $2 - $3; n = $1 * $2 / 300; if (n < m) m = n; printf "%d", m}')
	echo "== $name"
	if [ "$most" -lt 5 ]; then echo "== $name: left out: $limit s are over" && return; fi
	at=$(now)
	timeout -k 5 "$most" "$@" 2>&1
	rc=$?
	if [ $rc = 124 ]; then echo "== $name: stopped after $most s"; fi
	echo "== $name: $(since "$at") s, exit $rc, $(since "$begun") s since the start"
}

check() {
	"$programs/runpipeline" device list
	nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null
	cd gpu/xla || return
	export PJRT_CPU_PLUGIN=$plugin XLA_TEST_CUDA=$test_cuda
	local family failed=0 tests='^TestLoopIsSingleSteps$' # side by side: most of it is compiling
	if [ -n "$test_cuda" ]; then tests+=' ^TestAProcessHasOneCard$'; fi
	for family in llama qwen2 gemma3; do tests+=" ^TestCompiledEngine$/^(Parity|Reference)$/^$family$"; done
	for family in llama qwen gemma3; do tests+=" ^TestWrittenIsMostProbable$/^compiled$/^$family$"; done
	rm -f "$out"/check-*.txt
	for t in $tests; do "$programs/xla.test" -test.v -test.run "$t" >"$out/check-$(echo "$t" | tr -cd A-Za-z0-9).txt" 2>&1 & done
	wait
	for f in "$out"/check-*.txt; do
		# Without a device tests skip, and a name that is none runs nothing.
		if ! grep -q '^PASS$' "$f" || grep -qE -- '--- SKIP|no tests to run' "$f"; then failed=1 && tail -20 "$f"; fi
		grep -hE '^ *--- ' "$f"
	done
	return $failed
}

folder() { [ -e "$models/$1/config.json" ] || { rm -rf "${models:?}/$1" && "$programs/randommodel" -shape "$1" "$models/$1"; }; }

shape() {
	folder "$1" || return
	# shellcheck disable=SC2086
	"$programs/runpipeline" bench -model "$models/$1" -device "$device" -json ${BENCH_FLAGS:-} >"$out/$1.json" 2>"$out/$1.err" || { rm -f "$out/$1.json" && tail -5 "$out/$1.err" && return 1; }
	"$python" - "$out/$1.json" <<'END'
import json, sys

b = json.load(open(sys.argv[1]))
print(f"{b['model']} ({b['digest']}) on {b['device']}, block {b['layer']} of {b['layers']}, median of {b['repeat']}; TFLOP/s are of products with weights that the work needs")
if s := b.get("start"):
    print(f"  {s['total']:.1f} s until something was captured: digest {s['digest']:.1f}, loading {s['load']:.1f}, first capture {s['first_capture']:.1f}")
if "memory_peak" in b:
    print(f"  memory of the device: {b['memory_peak'] >> 20} MiB used at most, of {b['memory_limit'] >> 20}; weights {b['token_bytes'] >> 20} and the embedding")
print(f"  {'work':12}{'texts':>6}{'tokens':>7}{'first s':>9}{'seconds':>9}{'tokens/s':>10}{'TFLOP/s':>9}")
for w in b["work"]:
    if "texts" in w:
        print(f"  {w['name']:12}{w['texts']:>6}{w['tokens']:>7}{w.get('seconds_first', 0):>9.2f}{w['seconds_median']:>9.4f}{w['tokens_per_second']:>10.0f}{w['gflops'] / 1000:>9.2f}")
END
}

peer() {
	local pairs=()
	for json in "$out"/*.json; do
		name=$(basename "$json" .json)
		if [ -e "$models/$name/config.json" ]; then pairs+=("$json" "$models/$name"); fi
	done
	if [ ${#pairs[@]} = 0 ]; then echo "nothing was measured yet" && return 1; fi
	"$python" -c 'import torch, transformers' 2>/dev/null || { echo "$python has no torch and transformers: the peer is left out" && return; }
	"$python" scripts/bench-device-peer.py "${pairs[@]}"
}

# part NAME PAIRS PROMPTS runs an experiment of 26 texts for each prompt: two personas without steering, and in three
# conditions at four strengths. Source and target are one folder at two layers, so that both are captured.
part() {
	local dir=$out/experiment-$1
	rm -rf "$dir" "${models:?}/store-$1" && mkdir -p "$dir"
	local layers
	layers=$(sed -n 's/.*"num_hidden_layers": \([0-9]*\).*/\1/p' "$models/$experiment/config.json")
	cat >"$dir/config.json" <<END
{"source_model": "$models/$experiment", "target_model": "$models/$experiment",
 "source_layer_idx": $((layers / 2)), "target_layer_idx": $((layers / 2 + 1)), "n_training_samples": $2, "positions": "last",
 "persona_datasets": "$PWD/configs/personas-joyful-emotional.json", "test_prompts": "$PWD/configs/prompts.json", "n_test_prompts": $3, "n_seeds": 1,
 "conditions": ["none", "ridge", "oracle", "random_direction"], "alpha_values": [0.2, 0.32, 0.5, 0.8], "alpha_unit": "spread",
 "primary": {"condition": "ridge", "versus": ["none"], "measure": "coherence", "margin": 0.5}, "lambda_values": [0.001, 0.1, 10], "lambda_unit": "relative",
 "max_new_tokens": 100, "temperature": 0.8, "top_p": 0.95, "top_k": 0, "stop_at_eos": false, "measures": [], "device": "$device", "output_dir": "$dir"}
END
	local at sampler=
	if command -v nvidia-smi >/dev/null; then
		nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits -lms 500 >"$dir/memory" 2>/dev/null &
		sampler=$!
	fi
	at=$(now)
	"$programs/runpipeline" -quiet -config "$dir/config.json" -cache "$models/store-$1" >"$dir/report.txt" 2>"$dir/messages.txt"
	local rc=$?
	since "$at" >"$dir/seconds"
	if [ -n "$sampler" ]; then kill "$sampler"; fi
	if [ $rc != 0 ]; then tail -5 "$dir/messages.txt" && return $rc; fi
	"$python" - "$dir" <<'END'
import json, os, sys

folder = sys.argv[1]
run = json.load(open(f"{folder}/run.json"))
texts = sum(1 for _ in open(f"{folder}/rows.jsonl"))
print(f"{texts} texts in {float(open(f'{folder}/seconds').read()):.1f} s; seconds of the stages: " + ", ".join(f"{s['stage']} {s['seconds']:.1f}" for s in run["stages"] if s["seconds"] >= 0.05))
if os.path.exists(f"{folder}/memory"):
    print(f"  memory of the device as nvidia-smi has it: {max(map(int, open(f'{folder}/memory').read().split()), default=0)} MiB at most")
json.dump(texts, open(f"{folder}/texts", "w"))
END
}

experiment() {
	folder "$experiment" || return
	part twentieth 250 13 && part tenth 500 26 || return
	"$python" - "$out" <<'END'
import json, sys

read = lambda part, name: float(open(f"{sys.argv[1]}/experiment-{part}/{name}").read())
(n, s), (m, t) = [(read(p, "texts"), read(p, "seconds")) for p in ("twentieth", "tenth")]
each = (t - s) / (m - n)
print(f"{each:.3f} s for each further text with its share of pairs; 6,750 texts and 5,000 pairs on the same line: {t + each * (6750 - m):.0f} s")
END
}

export -f check folder shape peer part experiment now since
export programs out models device python experiment plugin test_cuda begun
if [ $# = 0 ]; then set -- check 135m 7b peer; fi
for s in "$@"; do
	case $s in
	check) step check 120 bash -c check ;;
	peer) step peer 100 bash -c peer ;;
	experiment)
		begun=$(now) limit=${EXPERIMENT_LIMIT:-560}
		step experiment 300 bash -c experiment
		;;
	*) step "$s" 90 bash -c "shape $s" ;;
	esac
done
