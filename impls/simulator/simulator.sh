#!/bin/bash
# The network simulator of the quic and webtransport suites (quic-interop contract, section 2.2).
#
#   SCENARIO        what the network is like, such as "simple-p2p --delay=15ms --bandwidth=10Mbps --queue=25"
#   WAITFORSERVER   host:port of a QUIC server to wait for first; empty: begin at once
#
# Joins eth0 (left, clients) and eth1 (right, servers). Needs NET_ADMIN and NET_RAW. Captures both sides and reports
# below /logs. Ends with 0 when told to stop, and with another code as soon as anything of it fails.
set -u

logs=/logs
ended=   # why, once it is time to end: a signal's name
children=()

tell() { echo "simulator: $*" >&2; }

# The shell sees a signal only between commands; so whatever may take its time runs beside it, and is waited for.
trap 'ended=SIGTERM' TERM
trap 'ended=SIGINT' INT

# Wait until any of the given processes is over, or a signal came; the status is the process's.
wait_for_any() {
    local status=0
    wait -n "$@" || status=$?
    return "$status"
}

stop() {
    kill -TERM "$@" 2>/dev/null
    wait "$@"
}

# The kernel must not forward, nor answer for what it does not forward: every packet that comes in on these interfaces
# and is not for this container vanishes, silently and before anybody looks at its TTL. A routing rule does that for
# IPv4 and IPv6 without the iptables modules of the host. It stays when the simulator has ended: what is sent then must
# not take a way that nobody simulates or captures. The preference is the rule's name: there is never a second.
keep_kernel_out() {
    local interface
    for interface in eth0 eth1; do
        ip rule delete iif "$interface" preference 5783 2>/dev/null
        ip rule add blackhole iif "$interface" preference 5783 || return 1
        ip -6 rule delete iif "$interface" preference 5783 2>/dev/null
        ip -6 rule add blackhole iif "$interface" preference 5783 2>/dev/null ||
            tell "no IPv6 routing rules here: IPv6 is not simulated"
    done
}

# Without --update-interval (milliseconds), packets reach dumpcap 100 ms late.
capture() { # interface, file
    local said=$logs/dumpcap.$1.txt
    : >"$said"
    dumpcap -q --update-interval 20 -i "$1" -w "$logs/$2" >"$said" 2>&1 &
    children+=($!)
}

# dumpcap is capturing as soon as it has named its file.
wait_for_capture() { # interface, process
    local said=$logs/dumpcap.$1.txt
    for _ in {1..250}; do
        grep -q '^File: ' "$said" && return 0
        kill -0 "$2" 2>/dev/null || break
        [ -z "$ended" ] || return 1
        sleep 0.02
    done
    tell "no capture on $1: $(tr '\n' ' ' <"$said")"
    return 1
}

main() {
    local words interface status=0
    read -ra words <<<"${SCENARIO:-}"
    mkdir -p "$logs"

    if [ -n "${WAITFORSERVER:-}" ]; then
        wait-for-server "$WAITFORSERVER" &
        children=($!)
        wait_for_any "${children[@]}" || status=$?
        [ -z "$ended" ] || { stop "${children[@]}"; return 0; }
        [ "$status" = 0 ] || return "$status"
        children=()
    fi

    for interface in eth0 eth1; do
        # ns-3 passes packets on as they are: nobody would fill in a checksum, nor cut a segment to the MTU.
        ethtool -K "$interface" tx off rx off gso off tso off gro off >/dev/null ||
            { tell "cannot switch off the offloads of $interface: is there an $interface, and NET_ADMIN?"; return 1; }
    done
    keep_kernel_out || { tell "the kernel cannot be kept from forwarding: is there NET_ADMIN?"; return 1; }

    capture eth0 trace_node_left.pcap
    capture eth1 trace_node_right.pcap
    if ! wait_for_capture eth0 "${children[0]}" || ! wait_for_capture eth1 "${children[1]}"; then
        stop "${children[@]}"
        [ -n "$ended" ]
        return
    fi
    simulator "${words[@]}" &
    children+=($!)
    if [ -z "$ended" ]; then
        wait_for_any "${children[@]}" || status=$?
    fi
    # The scenario ends first, and packets reach dumpcap some 20 ms late: the captures hold all that was simulated.
    stop "${children[-1]}"
    sleep 0.2
    stop "${children[@]:0:2}"
    chmod a+r "$logs"/trace_node_*.pcap # dumpcap makes them readable for its user only
    if [ -n "$ended" ]; then
        tell "ended by $ended"
        return 0
    fi
    [ "$status" != 0 ] || { tell "a capture or the scenario ended by itself"; status=1; }
    return "$status"
}

main
