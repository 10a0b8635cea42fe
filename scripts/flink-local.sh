#!/usr/bin/env bash
# Runs a command against a real Flink on this machine, without Docker: Flink and Beam's job server come as
# Maven artifacts (scripts/flink/pom.xml), everything listens on free loopback ports, and only what was started
# here is stopped. Needs Java 11 or 17 and Maven.
#
#   scripts/flink-local.sh [-m local|cluster] [-t TASKMANAGERS] [-s SLOTS] [-w WORK] -- COMMAND...
#
#   -m local     job server and Flink in one Java process (default); it has no REST address
#   -m cluster   job server, JobManager and TASKMANAGERS TaskManagers (default 1), a process each
#   -s SLOTS     bundles at a time in each TaskManager (default 2)
#   -w WORK      folder for configuration and logs (default: a temporary one, removed if the command succeeds)
#
# The command sees BEAM_ENDPOINT (-endpoint), in cluster mode FLINK_REST (-flink_rest), and FLINK_WORK, in which
# NAME.pid and NAME.log are of each process: js, jm, tm1, tm2. Jobs are tried again: fixed-delay, 20 attempts,
# a second apart; lines "key: value" in FLINK_OPTS, separated by ";", are added to Flink's configuration or
# replace lines of it. Jars are kept in FLINK_CACHE (default: the user's cache folder).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pom=$here/flink/pom.xml
mode=local tms=1 slots=2 work='' cache=${FLINK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/runpipeline-flink}
usage() { sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 64; }
while getopts m:t:s:w: o; do case $o in
	m) mode=$OPTARG ;; t) tms=$OPTARG ;; s) slots=$OPTARG ;; w) work=$OPTARG ;; *) usage ;;
esac; done
shift $((OPTIND - 1))
if [ "${1:-}" = -- ]; then shift; fi
if [ $# = 0 ] || { [ "$mode" != local ] && [ "$mode" != cluster ]; }; then usage; fi
say() { printf 'flink-local: %s\n' "$*" >&2; }
for tool in java mvn; do
	command -v $tool >/dev/null || { say "no $tool; it needs Java and Maven (apt-get install openjdk-17-jre-headless maven)"; exit 69; }
done

# The jars, once for each pom.
jars=$cache/$(sha256sum "$pom" | cut -c1-16)
if [ ! -e "$jars/complete" ]; then
	say "fetching Flink and Beam's job server (150 MB)"
	mkdir -p "$cache"
	fetched=$(mktemp -d "$cache/fetch.XXXXXX")
	mvn -q -B -f "$pom" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$fetched" >"$fetched.log" 2>&1 ||
		{ tail -5 "$fetched.log" >&2; rm -rf "$fetched" "$fetched.log"; say "the jars could not be fetched"; exit 69; }
	touch "$fetched/complete"
	rm -f "$fetched.log"
	mv -T "$fetched" "$jars" 2>/dev/null || rm -rf "$fetched" # another process was faster
fi

own=''
if [ -z "$work" ]; then work=$(mktemp -d) own=1; fi
mkdir -p "$work/conf" "$work/artifacts" "$work/tmp"
work=$(cd "$work" && pwd)
{
	tr ';' '\n' <<<"${FLINK_OPTS:-}"
	cat <<-CONF
		taskmanager.numberOfTaskSlots: $slots
		parallelism.default: $((tms * slots))
		jobmanager.rpc.address: localhost
		jobmanager.bind-host: 127.0.0.1
		taskmanager.bind-host: 127.0.0.1
		taskmanager.host: localhost
		rest.address: localhost
		rest.bind-address: 127.0.0.1
		io.tmp.dirs: $work/tmp
		restart-strategy.type: fixed-delay
		restart-strategy.fixed-delay.attempts: 20
		restart-strategy.fixed-delay.delay: 1 s
		heartbeat.interval: 1000
		heartbeat.timeout: 10000
	CONF
} | sed 's/^[[:space:]]*//' | awk -F: 'NF > 1 && !seen[$1]++' >"$work/conf/flink-conf.yaml"

command=''
stop() {
	local code=$? p
	trap - EXIT INT TERM
	if [ -n "$command" ]; then kill "$command" 2>/dev/null || :; fi
	for p in "$work"/*.pid; do if [ -e "$p" ]; then kill "$(cat "$p")" 2>/dev/null || :; fi; done
	for _ in $(seq 50); do
		jobs -rp | grep -q . || break
		sleep 0.1
	done
	for p in $(jobs -rp); do kill -9 "$p" 2>/dev/null || :; done
	wait 2>/dev/null || :
	if [ -n "$own" ] && [ "$code" = 0 ]; then rm -rf "$work"; else say "logs are in $work"; fi
	exit "$code"
}
trap stop EXIT
trap 'exit 130' INT TERM

# jvm NAME MEMORY CLASS ARGUMENT... starts a Java process.
jvm() {
	local name=$1 memory=$2
	shift 2
	java -Xmx"$memory" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.io.tmpdir="$work/tmp" \
		-cp "$classpath" "$@" >"$work/$name.log" 2>&1 &
	echo $! >"$work/$name.pid"
}
# await NAME PATTERN waits for a line of its log and prints what the pattern's group has.
await() {
	local found
	for _ in $(seq 1200); do
		found=$(sed -nE "s/.*$2.*/\1/p" "$work/$1.log" | head -1)
		if [ -n "$found" ]; then echo "$found"; return; fi
		kill -0 "$(cat "$work/$1.pid")" 2>/dev/null || break
		sleep 0.1
	done
	say "$1 did not start:"
	grep -E 'ERROR|Exception|Caused' "$work/$1.log" | tail -5 >&2 || tail -5 "$work/$1.log" >&2
	return 1
}

master='[local]' classpath="$jars/*" server=org.apache.beam.runners.flink.FlinkJobServerDriver
# taskmanager NAME starts one, also again under the name of one that was killed.
taskmanager() {
	jvm "$1" 1300m org.apache.flink.runtime.taskexecutor.TaskManagerRunner --configDir "$work/conf" \
		-Djobmanager.rpc.port="$(cat "$work/rpc")" -Dtaskmanager.resource-id="$1" -Dtaskmanager.cpu.cores="$slots" \
		-Dtaskmanager.memory.task.heap.size=384m -Dtaskmanager.memory.task.off-heap.size=0m \
		-Dtaskmanager.memory.network.min=512m -Dtaskmanager.memory.network.max=512m -Dtaskmanager.memory.managed.size=64m \
		-Dtaskmanager.memory.framework.heap.size=128m -Dtaskmanager.memory.framework.off-heap.size=128m \
		-Dtaskmanager.memory.jvm-metaspace.size=256m -Dtaskmanager.memory.jvm-overhead.min=128m -Dtaskmanager.memory.jvm-overhead.max=128m
}
if [ "$mode" = cluster ]; then
	jvm jm 512m org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint --configDir "$work/conf" -Djobmanager.rpc.port=0 -Drest.bind-port=0
	FLINK_REST=$(await jm 'Rest endpoint listening at ([^ ]+)')
	await jm 'Actor system started at .*@[^:]+:([0-9]+)' >"$work/rpc"
	for i in $(seq "$tms"); do taskmanager "tm$i"; done
	for i in $(seq "$tms"); do await "tm$i" '(Successful registration at resource manager)' >/dev/null; done
	master=$FLINK_REST FLINK_REST=http://$FLINK_REST
	export FLINK_REST
	# The job server would send every jar on its class path with each job, which takes longer than the jobs here.
	if command -v javac >/dev/null; then
		javac -cp "$jars/*" -d "$work/classes" "$here/flink/Unstaged.java"
		classpath="$work/classes:$classpath" server=Unstaged
	fi
fi
jvm js 512m "$server" --flink-master "$master" --job-host localhost --job-port 0 \
	--artifact-port 0 --expansion-port -1 --artifacts-dir "$work/artifacts" --flink-conf-dir "$work/conf"
BEAM_ENDPOINT=$(await js 'JobService started on ([^ ]+)')
export BEAM_ENDPOINT FLINK_WORK=$work
say "job service at $BEAM_ENDPOINT${FLINK_REST:+, Flink at $FLINK_REST}"
"$@" & # so that a signal is heard while it runs
command=$!
code=0
wait $command || code=$?
exit $code
