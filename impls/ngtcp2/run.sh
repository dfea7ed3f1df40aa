#!/bin/bash
# Debian's ngtcp2: the example programs gtlsclient and gtlsserver of its packages, which speak HTTP/3 only. A peer that
# offers nothing but hq-interop finds no common protocol here, whatever the test case.
set -eu
mkdir -p /logs
cp /etc/endpoint/packages /logs/packages.txt
export QLOGDIR="${QLOGDIR:-/logs/qlog/}"
exec "/opt/ngtcp2/$ROLE.sh"
