#!/bin/bash
# Plays any part over a simulated network, as BEHAVIOUR says. It speaks no QUIC: it exists so that the runner can be
# shown every way in which a container can end, and see what a container is given.
set -u
# An image that starts slowly while its host is busy: until the time, in seconds, that a test gives to a client.
[ -z "${CLIENT_PARAMS:-}" ] || until [ "$(date +%s)" -ge "$CLIENT_PARAMS" ]; do sleep 0.1; done
# An endpoint that says what it does answers 127 to everything else; who says nothing has no such manners.
if [ -n "${CLAIMS:-}" ]; then
    case " $CLAIMS " in *" $TESTCASE "*) ;; *) exit 127 ;; esac
fi
stays() { trap 'echo stopped; exit 0' TERM; while :; do sleep 0.05; done; }
report() {
    ip -o address show | awk '$2 ~ /^eth/ { print "address:", $2, $4 }'
    ip -o route show | sed 's/^/route: /'
    ip -o -6 route show | sed 's/^/route: /'
    sed 's/^/host: /' /etc/hosts
    env | sed 's/^/env: /'
    grep -E '^(Cap|NoNewPrivs)' /proc/self/status
    echo "init: $(cat /proc/1/comm)"
}
case $BEHAVIOUR in
    stays) report; stays ;;
    good) report; sleep 0.2; exit 0 ;;
    fails) sleep 0.5; echo "I cannot" >&2; exit 1 ;;
    unsupported) exit 127 ;;
    no-program) exec /opt/endpoint/program ;;
    ignores-term) trap '' TERM; while :; do sleep 0.05; done ;;
    floods) yes 'a line that nobody will ever read' | head -c 100000000; exit 0 ;;
    writes)
        mkdir -p /logs/qlog/deep
        echo key >/logs/keys.log
        head -c 3000000 /dev/zero >/logs/qlog/deep/big
        ln -s /etc/passwd /logs/link
        ls -ln /www /certs
        cp /www/* /downloads/
        echo "may write: $(touch /downloads/x && rm /downloads/x && echo yes)"
        exit 0
        ;;
    spoils)
        ip route add 10.9.9.0/24 dev eth0
        ip address add 10.9.9.9/24 dev eth0
        exit 0
        ;;
    intrudes) # gives itself addresses and routes, and says which of INTRUSIONS (address/port) it reaches then
        for address in $ADDRESSES; do ip address add "$address" dev eth0; done
        for place in $INTRUSIONS; do
            case $place in fe80:*) ;; *) ip route replace "${place%/*}" dev eth0 ;; esac
            timeout 2 bash -c ": >/dev/tcp/$place" && echo "reached: $place"
        done
        echo tried
        exit 0
        ;;
    asks) # whether anybody is at ASKED: whoever is refuses
        timeout 2 bash -c ": >/dev/tcp/$ASKED/1" 2>&1 | grep -q refused && echo reached
        exit 0
        ;;
esac
