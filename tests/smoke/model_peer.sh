#!/bin/bash
# A peer that keeps the container contract to the letter, but for the FAULTS it is given.
# Where others speak libp2p it speaks Redis: its listener runs a server of its own, its dialer pings that.
set -u
has() { [[ " ${FAULTS:-} " == *" $1 "* ]]; }
die() { has mute || echo "$*" >&2; exit 1; }

if [ -n "${TEST_KEY:-}" ]; then
    dialer=${IS_DIALER:-} redis=${REDIS_ADDR:-} key=${TEST_KEY}_listener_multiaddr limit=${TEST_TIMEOUT_SECS:-180}
    transport=${TRANSPORT:-} channel=${SECURE_CHANNEL:-} muxer=${MUXER:-}
else
    dialer=${is_dialer:-} redis=${redis_addr:-redis:6379} key=listenerAddr limit=${test_timeout_seconds:-180}
    transport=${transport:-} channel=${security:-} muxer=${muxer:-}
fi
[ "$transport/$channel/$muxer" = tcp/noise/yamux ] || die "cannot do $transport, $channel, $muxer"
if has dial-only && [ "$dialer" = false ]; then die "cannot listen"; fi

# One clock for everything: when the time is up `timeout` kills this very script, which may be deaf to all else.
if [ -z "${CLOCKED:-}" ]; then
    export CLOCKED=1
    has leaves-with-0 && { timeout --foreground "$limit" "$0"; code=$?; [ $code = 124 ] && exit 0; exit $code; }
    exec timeout -s KILL "$limit" "$0"
fi

meeting() { redis-cli -h "${redis%:*}" -p "${redis##*:}" "$@"; }
milliseconds() { printf '%d.%03d' $(($1 / 1000000)) $(($1 / 1000 % 1000)); }
record() {
    if [ -n "${TEST_KEY:-}" ]; then
        printf 'latency:\n  handshake_plus_one_rtt: %s\n  ping_rtt: %s\n  unit: ms\n' "$1" "$2"
    else
        printf '{"handshakePlusOneRTTMillis": %s, "pingRTTMilllis": %s}\n' "$1" "$2"
    fi
}

listen() {
    redis-server --port 4001 --bind 0.0.0.0 --protected-mode no --save '' >/dev/null &
    until [ "$(redis-cli -p 4001 ping 2>/dev/null)" = PONG ]; do sleep 0.02; done
    has chatty && echo "listening"
    address=/ip4/$(hostname -I | cut -d ' ' -f 1)/tcp/4001
    has anonymous || address=$address/p2p/QmModel
    meeting rpush "$key" "$address" >/dev/null
    if has deaf; then trap '' TERM; else trap 'exit 0' TERM; fi
    while :; do
        # In the background, since a shell looks at its signals only between commands.
        redis-cli -p 4001 --raw blpop hello 0 >/tmp/hello & wait $!
        has unproven || echo "negotiated: $(tail -n 1 /tmp/hello)" >&2
        redis-cli -p 4001 rpush ack 1 >/dev/null
        has single-use && { sleep 0.1; exit 0; }
    done
}

dial() {
    if has hasty; then address=$(meeting lpop "$key"); else address=$(meeting --raw blpop "$key" 0 | tail -n 1); fi
    [[ $address == /ip4/*/tcp/* ]] || die "no address: $address"
    IFS=/ read -r _ _ ip _ port _ <<<"$address"
    began=$(date +%s%N)
    redis-cli -h "$ip" -p "$port" rpush hello "transport=$transport secureChannel=$channel muxer=$muxer" >/dev/null 2>&1 ||
        die "cannot dial $address"
    redis-cli -h "$ip" -p "$port" blpop ack 5 >/dev/null
    has unproven || echo "negotiated: transport=$transport secureChannel=$channel muxer=$muxer" >&2
    pinged=$(date +%s%N)
    [ "$(redis-cli -h "$ip" -p "$port" ping)" = PONG ] || die "no answer from $address"
    ended=$(date +%s%N)
    has chatty && echo "connected to $address"
    record "$(milliseconds $((ended - began)))" "$(milliseconds $((ended - pinged)))"
    has two-results && record 1 1
    has lingering && sleep 3
    exit 0
}

until [ "$(meeting ping 2>/dev/null)" = PONG ]; do sleep 0.1; done
case "$dialer" in true) dial ;; false) listen ;; *) die "is_dialer is neither true nor false: $dialer" ;; esac
