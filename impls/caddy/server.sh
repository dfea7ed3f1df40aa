#!/bin/bash
# Debian's caddy, a server only, on a quic-go of 2022; HTTP/3 only: a client that offers nothing but hq-interop finds no
# common protocol here. It writes neither key log nor qlog and has no settings below HTTP: no retry, no chacha20 alone, no v2,
# no preferred address.
set -eu
mkdir -p /logs
cp /etc/endpoint/packages /logs/packages.txt
exec caddy run --config /opt/caddy/Caddyfile --adapter caddyfile
