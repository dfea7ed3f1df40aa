#!/bin/bash
# The load of the crosstraffic measurement (quic-interop contract, section 2.5): one TCP stream, in the direction of a
# QUIC download. So the *client* of the contract is the one that listens, and the *server* connects to it and sends.
#
#   ROLE               client or server
#   CLIENT             the listener's name, for the server
#   IPERF_CONGESTION   congestion control of the stream, for the server; default: the kernel's
set -eu

port=5001

if [ "$ROLE" = client ]; then
    exec iperf --server --port "$port" --interval 1
fi

listener=${CLIENT:-client4}
waited=0
# The listener begins when the simulator does, which waits for the QUIC server first.
until (exec 3<>"/dev/tcp/$listener/$port") 2>/dev/null; do
    waited=$((waited + 1))
    if [ "$waited" -gt 300 ]; then
        echo "iperf: nobody listens on $listener:$port after 30 s" >&2
        exit 1
    fi
    sleep 0.1
done
# Without the algorithm, iperf says so and ends with 0.
if [ -n "${IPERF_CONGESTION:-}" ] && ! grep -qw -- "$IPERF_CONGESTION" /proc/sys/net/ipv4/tcp_available_congestion_control; then
    echo "iperf: this kernel has no congestion control $IPERF_CONGESTION" >&2
    exit 1
fi
# Longer than any case takes: the load ends with its container.
exec iperf --client "$listener" --port "$port" --time 3600 --interval 1 ${IPERF_CONGESTION:+-Z "$IPERF_CONGESTION"}
