#!/bin/bash
# Entry point of every QUIC and WebTransport endpoint made here (quic-interop contract, sections 1.4 to 1.7): answers
# 127 for what it does not do, sends everything through the simulator, waits for it as a client, becomes the program.
#
# /etc/endpoint/client and /etc/endpoint/server hold the test cases of each role, one a line; no file, no such role.
set -eu

if ! grep -qxF -- "${TESTCASE:-}" "/etc/endpoint/${ROLE:-}" 2>/dev/null; then
    echo "endpoint: ${ROLE:-no role} does not do ${TESTCASE:-nothing}" >&2
    exit 127
fi

mkdir -p "${QLOGDIR:-/logs/qlog/}"

# Packets cross the simulator as they are: nobody would fill in a checksum or cut a segment that was left for hardware.
ethtool -K eth0 tx off >/dev/null

# The simulator is the only way to anywhere, the own network included.
through() { # family, destination, the last group of the simulator's address
    own=$(ip "$1" -o address show dev eth0 scope global | awk '{ print $4; exit }')
    [ -n "$own" ] || return 0
    ip "$1" route replace "$2" via "${own%[.:]*}$3" dev eth0 onlink
    for connected in $(ip "$1" route show dev eth0 proto kernel | awk '{ print $1 }'); do
        case $connected in
            193.167.* | fd00:cafe:*) ip "$1" route delete "$connected" dev eth0 ;;
        esac
    done
}
through -4 193.167.0.0/16 .2
through -6 fd00:cafe:cafe::/48 :2

if [ "$ROLE" = client ]; then
    # As the first process of its container, a shell that says nothing about a signal never hears of it.
    trap 'exit 143' TERM
    waited=0
    until (exec 3<>/dev/tcp/sim/57832) 2>/dev/null; do
        waited=$((waited + 1))
        if [ "$waited" -gt 300 ]; then
            echo "endpoint: the simulator did not open its port 57832 within 30 s" >&2
            exit 1
        fi
        sleep 0.1
    done
    trap - TERM
fi
exec "$@"
