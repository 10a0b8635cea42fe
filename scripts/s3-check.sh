#!/usr/bin/env bash
# The store in a bucket and the experiment in one, against a server that really speaks S3: versitygw, built
# from its Go module at a pinned version, with keys made for each test, on a free port of the loopback. What
# follows is given to "go test", for instance -bench . -run '^$'. Building it takes 80 MB and a minute or
# two of two cores, once; it is kept beside Go's own build cache.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOEXPERIMENT=simd
version=v1.8.0
bin=$(go env GOCACHE)-versitygw/$version
if [ ! -x "$bin/versitygw" ] && ! GOBIN=$bin timeout 600 go install "github.com/versity/versitygw/cmd/versitygw@$version"; then
	echo "the S3 server versitygw $version could not be had; its tests did not run"
	exit 0
fi
export PATH=$bin:$PATH
if [ $# -gt 0 ]; then exec go test ./cache/bucket/ "$@"; fi
go test -count=1 ./cache/bucket/
go test -count=1 -timeout 15m -run 'S3|Bucket' ./cmd/runpipeline
