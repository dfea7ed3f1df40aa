#!/bin/bash
# The server: gtlsserver with the options that a test case wants of it.
set -eu

# Quiet, for otherwise it tells every packet; half a minute, its own idle time-out, is short for a lossy network.
options=(--quiet --htdocs=/www --qlog-dir="$QLOGDIR" --timeout=180s --handshake-timeout=180s)

# own_address FAMILY: the address of eth0, which an image cannot know.
own_address() {
    ip "$1" -o address show dev eth0 scope global | awk '{ sub("/.*", "", $4); print $4; exit }'
}

case $TESTCASE in
    retry) options+=(--validate-addr) ;;
    chacha20) options+=(--ciphers=NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305) ;;
    v2) options+=("--preferred-versions=v2,v1") ;;
    connectionmigration)
        # Another port is another path and needs no second address. Of both families, for clients stay within theirs.
        options+=("--preferred-ipv4-addr=$(own_address -4):4443")
        ipv6=$(own_address -6)
        if [ -n "$ipv6" ]; then options+=("--preferred-ipv6-addr=[$ipv6]:4443"); fi
        ;;
esac

gtlsserver "${options[@]}" '*' 443 /certs/priv.key /certs/cert.pem &
server=$!
# It ends in order, closing connections and qlogs, on SIGINT alone.
trap 'kill -INT $server' TERM INT
# A signal ends the wait early, so what counts is the last one.
status=0
while kill -0 $server 2>/dev/null; do
    wait $server && status=0 || status=$?
done
exit $status
