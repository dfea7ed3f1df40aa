ARG BASE
ARG BUILD_BASE

FROM ${BUILD_BASE} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends -t trixie-backports cargo rustc \
 && apt-get install -y --no-install-recommends gcc g++ libc6-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# First the dependencies, which take minutes, with a program that does nothing ...
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
 && echo 'fn main() {}' >src/main.rs \
 && cargo build --locked --release \
 && rm -r src
# ... then ours. The touch makes it newer than what it replaces, whatever the context's clock says.
COPY src src
RUN touch src/main.rs \
 && cargo build --locked --release

