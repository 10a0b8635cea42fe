# syntax=docker/dockerfile:1
# The program as an image, for Dataflow's workers and for pools of workers on Kubernetes.
#
#   docker build -t REGISTRY/runpipeline:1 .
#   docker build -t REGISTRY/runpipeline:1-cuda --build-arg DEVICE=cuda \
#       --build-arg BASE=nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04 .
#
# BASE needs glibc 2.36 or newer and, for cards, NVIDIA's CUDA 13 libraries. DEVICE=cuda (or xla-cpu) puts the
# plugin of XLA beside the program, as "runpipeline device install" does; that needs a BASE with libstdc++.
# Beam's boot program is built from the very module that the program is linked with, so that they agree.
ARG BASE=gcr.io/distroless/base-debian12

FROM golang:1.26-bookworm AS build
ARG DEVICE=
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ENV GOEXPERIMENT=simd
RUN go build -trimpath -buildvcs=false -o /out/bin/runpipeline ./cmd/runpipeline
RUN go build -trimpath -buildvcs=false -o /out/beam/boot github.com/apache/beam/sdks/v2/go/container
RUN mkdir -p /out/share && if [ -n "$DEVICE" ]; then XDG_DATA_HOME=/out/share /out/bin/runpipeline device install "$DEVICE"; fi

FROM ${BASE}
COPY --from=build /out/beam/boot /opt/apache/beam/boot
COPY --from=build /out/bin/runpipeline /usr/local/bin/runpipeline
COPY --from=build /out/share /opt/runpipeline/share
# Models from a hub and what is remembered of them; a volume here spares workers the fetching.
ENV XDG_DATA_HOME=/opt/runpipeline/share HOME=/tmp XDG_CACHE_HOME=/tmp/cache HF_HOME=/tmp/huggingface
# Dataflow starts boot, which starts the program that the job stages. A pool on Kubernetes starts
# /usr/local/bin/runpipeline worker instead.
ENTRYPOINT ["/opt/apache/beam/boot"]
