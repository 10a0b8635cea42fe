#!/usr/bin/env bash
# Runs one small experiment on the direct runner, on Prism and on a real Flink, whole and with processes killed in
# the middle, each into a store of its own, and compares the stores: the records of all finished stages and units and
# the results, to the byte.
#
#   scripts/flink-check.sh [-short] [-config FILE] [-keep FOLDER]
#
#   -short         one run on Flink in local mode, against the direct runner (a minute once the jars are there)
#   -config FILE   another experiment than the small one
#   -keep FOLDER   where stores and logs stay (default: a temporary folder, removed if all is well)
#
# The whole of it takes about ten minutes on two cores: two TaskManagers and two worker processes; a worker
# killed, and another one takes over; a TaskManager killed; the driver killed while the job goes on; an interrupt.
# Exit status 75: no Java or no Maven, or the jars could not be fetched.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Inside flink-local.sh, with BEAM_ENDPOINT, FLINK_REST and FLINK_WORK set, this script calls itself: inside CASE.
if [ "${1:-}" = inside ]; then
	cd "$CHECK_FOLDER"
	started=()
	trap 'for p in "${started[@]}"; do kill "$p" 2>/dev/null || :; done; wait 2>/dev/null || :' EXIT
	# pool NAME ARGUMENT... starts a pool of workers and waits for its address.
	pool() {
		local name=$1
		shift
		rm -f "$name.address"
		"$CHECK_PROGRAM" worker "$@" >"$name.address" 2>>"$name.log" &
		started+=($!)
		echo $! >"$name.pid"
		for _ in $(seq 100); do
			if [ -s "$name.address" ]; then return; fi
			sleep 0.1
		done
		echo "pool $name did not start" >&2
		return 1
	}
	# drive STORE runs the experiment on Flink.
	drive() {
		local rest=()
		if [ -n "${FLINK_REST:-}" ]; then rest=(-flink_rest "$FLINK_REST" -beam parallelism=2); fi
		exec "$CHECK_PROGRAM" run -config "$CHECK_CONFIG" -cache "$1" -set output_dir="$1.results" -trace "$1.trace" -runner flink \
			-endpoint "$BEAM_ENDPOINT" "${rest[@]}" -workers "$(cat front.address)" >"$1.out" 2>>"$1.log"
	}
	# reached STORE STAGE DRIVER waits until a unit of the stage was begun.
	reached() {
		for _ in $(seq 1200); do
			if grep -qs "\"stage\":\"$2\"" "$1.trace"; then return; fi
			kill -0 "$3" 2>/dev/null || { echo "the run ended before $2" >&2; return 1; }
			sleep 0.1
		done
		return 1
	}
	two() { # two worker processes behind one address
		pool one
		pool two
		pool front -deal "$(cat one.address),$(cat two.address)"
	}
	case $2 in
	local)
		pool front
		drive local
		;;
	two)
		two
		(drive two)
		;;
	worker)
		two
		(drive worker) & driver=$!
		reached worker capture.source $driver
		kill -9 "$(cat one.pid)"
		wait $driver
		;;
	taskmanager)
		two
		(drive taskmanager) & driver=$!
		reached taskmanager capture.source $driver
		kill -9 "$(cat "$FLINK_WORK/tm1.pid")"
		wait $driver
		;;
	driver)
		two
		(drive driver) & driver=$!
		reached driver capture.source $driver
		kill -9 $driver
		wait $driver 2>/dev/null || :
		for _ in $(seq 120); do # the job goes on
			if ! curl -sf "$FLINK_REST/jobs/overview" | grep -qE '"state":"(RUNNING|RESTARTING|CREATED|INITIALIZING)"'; then break; fi
			sleep 1
		done
		before=$(find driver/actions -type f | wc -l)
		(drive driver)
		after=$(find driver/actions -type f | wc -l)
		echo "driver: $before actions when the job had ended without its driver, $after in all" >&2
		[ "$before" = "$after" ]
		;;
	interrupt)
		two
		(drive interrupt) & driver=$!
		reached interrupt capture.source $driver
		kill -INT $driver
		code=0
		wait $driver || code=$?
		grep -h 'note: job' interrupt.log >&2 || :
		[ $code = 130 ] || { echo "an interrupted run ended with $code" >&2; exit 1; }
		state=$(curl -sf "$FLINK_REST/jobs/overview" | grep -oE '"state":"[A-Z]+"' | sort -u | tr '\n' ' ')
		echo "interrupt: the job's $state" >&2
		case $state in *RUNNING* | *RESTARTING*) exit 1 ;; esac
		rm -f interrupt.trace
		(drive interrupt)
		;;
	esac
	exit
fi

short='' config='' keep=''
while [ $# -gt 0 ]; do case $1 in
	-short) short=1; shift ;; -config) config=$2; shift 2 ;; -keep) keep=$2; shift 2 ;;
	*) sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 64 ;;
esac; done
for tool in java mvn curl; do
	command -v $tool >/dev/null || { echo "flink-check: no $tool (apt-get install openjdk-17-jre-headless maven curl)" >&2; exit 75; }
done
folder=$keep
if [ -z "$folder" ]; then folder=$(mktemp -d); fi
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
if [ -n "$config" ]; then config=$(realpath "$config"); fi
CHECK_FOLDER=$folder CHECK_PROGRAM=$folder/runpipeline CHECK_CONFIG=${config:-$here/flink/small.json}
export CHECK_FOLDER CHECK_PROGRAM CHECK_CONFIG
(cd "$here/.." && GOEXPERIMENT=simd go build -o "$CHECK_PROGRAM" ./cmd/runpipeline)
cd "$folder"

# records STORE lists all records of stages and units with their contents, and the results.
records() {
	(cd "$1/actions" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
	(cd "$1.results" && sha256sum report.json rows.jsonl)
}
# here RUNNER runs the experiment in one process.
in_process() {
	"$CHECK_PROGRAM" run -config "$CHECK_CONFIG" -cache "$1" -set output_dir="$1.results" -runner "$1" >"$1.out" 2>"$1.log" ||
		{ tail -3 "$1.log" >&2; exit 1; }
}
# flink CASE ARGUMENT... runs a case inside a Flink of its own.
flink() {
	local name=$1 code=0 begun=$SECONDS
	shift
	"$here/flink-local.sh" -w "$folder/$name.flink" "$@" -- "$here/flink-check.sh" inside "$name" 2>"$name.said" || code=$?
	if [ $code = 69 ]; then cat "$name.said" >&2; exit 75; fi
	if [ $code != 0 ]; then cat "$name.said" >&2; tail -5 "$name.log" >&2; echo "flink-check: $name failed ($code)" >&2; exit 1; fi
	grep -E '^(driver|interrupt|note): ' "$name.said" || :
	compare "$name" $((SECONDS - begun))
}
compare() {
	records "$1" >"$1.records"
	cmp direct.records "$1.records" || { echo "flink-check: the store of $1 differs from that of direct" >&2; exit 1; }
	echo "$1: the same $(wc -l <"$1.records") records and results as on direct, $2 s"
}

in_process direct
records direct >direct.records
if [ -n "$short" ]; then
	flink local
else
	begun=$SECONDS
	in_process prism
	compare prism $((SECONDS - begun))
	flink local
	for name in two worker taskmanager driver interrupt; do
		slots=1
		if [ $name = taskmanager ]; then slots=2; fi # so that the one that is left has two
		flink $name -m cluster -t 2 -s $slots
	done
fi
if [ -z "$keep" ]; then rm -rf "$folder"; fi
