#!/bin/bash
# A peer that obeys the container contract, both generations, and misbehaves as BEHAVIOUR says.
# It speaks no libp2p: it exists so that the runner can be shown every way in which a peer can end.
set -u
if [ -n "${TEST_KEY:-}" ]; then
    dialer=$IS_DIALER redis=$REDIS_ADDR key=${TEST_KEY}_listener_multiaddr ip=$LISTENER_IP transport=$TRANSPORT
    channel=${SECURE_CHANNEL:-} muxer=${MUXER:-}
else
    dialer=$is_dialer redis=${redis_addr:-redis:6379} key=listenerAddr ip=$ip transport=$transport
    channel=${security:-} muxer=${muxer:-}
fi
case $transport in quic-v1) carrier=udp/4001/quic-v1 ;; *) carrier=tcp/4001 ;; esac
address=${PEER_ADDRESS:-/ip4/10.0.0.7/$carrier/p2p/QmListener}
if [ -n "${REDIS_PASSWORD:-}" ]; then export REDISCLI_AUTH=$REDIS_PASSWORD; fi

cli() { redis-cli -h "${redis%:*}" -p "${redis##*:}" "$@"; }
publish() { cli rpush "$key" "$@" >/dev/null; }
ask() { cli blpop "$key" "${1:-30}" | tail -n 1; }
serve() { trap 'exit 0' TERM; while :; do sleep 0.05; done; }
kill_redis() { # a bare system has no pkill, and one without /proc has
    local process
    [ -d /proc/self ] || pkill -KILL -f "redis-server $redis"
    for process in $(grep -als "redis-server $redis" /proc/[0-9]*/cmdline); do
        process=${process#/proc/}
        [ "${process%/*}" = "$$" ] || kill -KILL "${process%/*}" 2>/dev/null
    done
}
report() { # what the engine has given this side, for the tests to read
    {
        echo "init: $(cat /proc/1/comm)"
        grep -E '^(Cap|NoNewPrivs)' /proc/self/status
        echo "interfaces: $(tail -n +3 /proc/net/dev | cut -d : -f 1 | tr -d ' ' | sort | tr '\n' ' ')"
        for place in ${OUTSIDE:-}; do # address/port
            echo "outside $place: $(timeout 2 bash -c ": >/dev/tcp/$place" 2>/dev/null && echo reached || echo out of reach)"
        done
        env | sed 's/^/env: /'
        echo "mounts: $(cut -d ' ' -f 4 /proc/self/mountinfo | tr '\n' ' ')"
    } >&2
}
negotiated() { echo "negotiated: transport=$transport${channel:+ secureChannel=${1:-$channel}}${muxer:+ muxer=$muxer}" >&2; }
record() {
    if [ -n "${TEST_KEY:-}" ]; then
        printf 'latency:\n  handshake_plus_one_rtt: 7.342\n  ping_rtt: 7.113\n  unit: ms\n'
    else
        printf '{"handshakePlusOneRTTMillis": 7.342, "pingRTTMilllis": 7.113}\n'
    fi
}

behave() {
    case "$1" in
        # --- as either side -----------------------------------------------------------------------------
        good) if [ "$dialer" = true ]; then ask >/dev/null; negotiated; record; else publish "$address"; serve; fi ;;
        exit-*) echo "giving up" >&2; exit "${1#exit-}" ;;
        hang) trap '' TERM; while :; do sleep 0.05; done ;;
        flood) # 100 MB, then good
            yes "a line of noise with a brace { in it, over and over again, until a hundred megabytes are full" |
                head -c 104857600
            behave good ;;
        binary) head -c 65536 /dev/urandom; printf '\xff\xfe\n'; head -c 65536 /dev/urandom >&2; behave good ;;
        hog) x=; while :; do x=$x$(head -c 1000000 /dev/zero | tr '\0' x); done ;;
        double-fork | double-fork-silent) # leaves a process of another session, without a parent, deaf to SIGTERM, talking to Redis
            (setsid bash -c 'trap "" TERM HUP; printf "client setname orphan\nset orphan is-here\nblpop orphans 0\n" | redis-cli -h $0 -p $1' \
                "${redis%:*}" "${redis##*:}" &)
            until [ "$(cli exists orphan)" = 1 ]; do sleep 0.05; done
            if [ "$1" = double-fork ]; then behave good; else serve; fi ;;
        fork) while :; do sleep 1000 & done ;;
        # Neither traps nor ignores SIGTERM: it ends at once unless the kernel takes it for an init.
        untrapped) if [ "$dialer" = false ]; then publish "$address"; fi; exec sleep 1000 ;;
        report) report; behave good ;;
        kills-redis) kill_redis; serve ;;
        vandal) # tries to change the server for whoever comes after it, and says what it was answered
            while read -r command; do echo "$command: $(cli $command 2>&1 </dev/null | head -n 1)" >&2; done <<< "$VANDALISM"
            behave good ;;
        hoard) # puts 80 MB into Redis
            for _ in $(seq 80); do head -c 1000000 /dev/zero | tr '\0' x | cli -x rpush hoard; done 2>&1 | grep -m 1 OOM >&2
            behave good ;;
        litter) # fills the disk with file after file
            for number in $(seq 1000); do head -c 20000000 /dev/zero > "${TMPDIR:-/tmp}/litter-$number"; sleep 0.05; done ;;
        haunts) # leaves processes without a parent that serve on port 4242, and visit OTHER on port 4243 again and again
            (setsid redis-server --port 4242 --protected-mode no --save "" >/dev/null 2>&1 &)
            (setsid bash -c 'trap "" TERM HUP; while :; do redis-cli -h $0 -p 4243 incr visits; sleep 0.05; done' \
                "$OTHER" >/dev/null 2>&1 &)
            until redis-cli -p 4242 ping >/dev/null 2>&1; do sleep 0.05; done
            behave "${THEN:-good}" ;;
        looks-for-ghosts) # serves on port 4243 for a second, then says who came, and whether OTHER is there on port 4242
            (redis-server --port 4243 --protected-mode no --save "" >/dev/null 2>&1 &)
            until redis-cli -p 4243 ping >/dev/null 2>&1; do sleep 0.05; done
            sleep 1
            echo "visits: $(redis-cli -p 4243 get visits)" >&2
            echo "served: $(timeout 1 redis-cli -h "$OTHER" -p 4242 ping 2>/dev/null)" >&2
            behave good ;;
        # --- as a listener ------------------------------------------------------------------------------
        silent) serve ;;
        two-addresses) publish "$address" /ip4/127.0.0.1/tcp/4001; serve ;;
        unreachable) publish /ip4/0.0.0.0/tcp/4001; serve ;;
        publishes-a-newline) publish "$address"$'\n'; serve ;;
        publishes-nothing-and-leaves) exit 0 ;;
        leaves) publish "$address"; sleep 0.2; exit 0 ;;
        crashes) publish "$address"; sleep 0.2; kill -SEGV $BASHPID ;;
        stubborn) publish "$address"; behave hang ;;
        publishes-with-set) cli set "$key" "$address" >/dev/null; serve ;;
        # --- as a dialer --------------------------------------------------------------------------------
        noisy) # npm's banner, a test report, colours, log objects, an unclosed brace, then the record over two lines
            ask >/dev/null
            printf '\n> peer@1.0.0 test\n> mocha\n\r\033[32m  ok\033[0m {"level":"info","fields":{"a":1}} {oops\n'
            printf '\033[36m{"handshakePlusOneRTTMillis":\n  12,\r\n "pingRTTMilllis": 3e0}\033[0m\n  1 passing\n' ;;
        split) # one record in three writes, the last one without a line end
            ask >/dev/null
            printf '{"handshakePlus'; sleep 0.1; printf 'OneRTTMillis": 12,\n'; sleep 0.1
            printf '"pingRTTMilllis": 3}' ;;
        other-objects) # half a record, one with a word for a number, one wrapped in a log line's object
            ask >/dev/null
            printf '{"pingRTTMilllis": 1}{"handshakePlusOneRTTMillis": 1}{"handshakePlusOneRTTMillis": "1", {{{\n'
            printf '{"level": "info", "fields": {"a": {}, "handshakePlusOneRTTMillis": 12, "pingRTTMilllis": 3}}\n' ;;
        integers) ask >/dev/null; echo '{"pingRTTMillis": 3, "handshakePlusOneRTTMillis": 12}' ;;
        exponents) ask >/dev/null; echo '{"handshakePlusOneRTTMillis": 1.2e1, "pingRTTMilllis": 300E-2}' ;;
        yaml) ask >/dev/null; printf '# from the dialer\nlatency:\n    handshake_plus_one_rtt: 12\n    ping_rtt: 3\n' ;;
        logs-inside-yaml) ask >/dev/null; printf 'latency:\nINFO done\n\n  handshake_plus_one_rtt: 7\nx: 1\n  ping_rtt: 3\n' ;;
        seconds) ask >/dev/null; printf 'latency:\n  handshake_plus_one_rtt: 0.007\n  ping_rtt: 0.003\n  unit: s\n' ;;
        for-ever) ask >/dev/null; echo '{"handshakePlusOneRTTMillis": 1e300, "pingRTTMilllis": 3}' ;;
        two-records) ask >/dev/null; record; record ;;
        no-record) ask >/dev/null ;;
        bad-record) ask >/dev/null; printf '{"handshakePlusOneRTTMillis": NaN, "pingRTTMilllis": -1}\n' ;;
        stays) ask >/dev/null; record; serve ;;
        stays-untrapped) ask >/dev/null; record; exec sleep 1000 ;;
        stays-for-ever) ask >/dev/null; record; behave hang ;;
        record-then-exit-*) ask >/dev/null; record; exit "${1#record-then-exit-}" ;;
        slow) ask >/dev/null; sleep 0.6; record ;;
        never-asks) serve ;;
        insists) # on an address, and says why it has none
            until address=$(cli blpop "$key" 1); [[ $address == */ip4/* ]]; do
                [[ $address != *WRONGTYPE* ]] || { echo "no address: $address" >&2; exit 1; }
            done
            negotiated; record ;;
        tells) address=$(ask); echo "got: $address" >&2; record ;;
        announces) echo ready; behave good ;;
        announces-and-stays) echo ready; serve ;;
        polls) # never lets Redis be quiet
            while :; do echo "lpop nothing"; done | cli >/dev/null ;;
        never-gives-up) ask >/dev/null; echo "dialing again" >&2; serve ;;
        wrong-stack) ask >/dev/null; negotiated plaintext; record ;;
        not-when-*) # flaky: fails in the one attempt that is given this TEST_KEY
            ask >/dev/null
            [ "$TEST_KEY" != "${1#not-when-}" ] || exit 1
            negotiated; record ;;
        *) echo "no such behaviour: $1" >&2; exit 64 ;;
    esac
}
behave "${BEHAVIOUR:-good}"
