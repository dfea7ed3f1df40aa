ARG BUILD_BASE
ARG BASE

FROM ${BUILD_BASE} AS build
# Any Go that can fetch toolchains will do: the one that compiles is pinned in go.mod.
RUN apt-get update \
 && apt-get install -y --no-install-recommends golang-go \
 && rm -rf /var/lib/apt/lists/*
ENV CGO_ENABLED=0 GOFLAGS=-trimpath
WORKDIR /src
COPY go.mod go.sum ./
# By itself, go would prefer an installed toolchain that is newer than the pinned one.
RUN go env -w GOTOOLCHAIN="$(sed -n 's/^toolchain //p' go.mod)" \
 && go mod download
