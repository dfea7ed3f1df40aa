#!/bin/bash
# The client: gtlsclient once for each connection, with the options that a test case wants of it, then a look at what
# came. gtlsclient does not verify certificates and has no option to; it saves the body of an error like any other and
# exits 0 whatever came, so success is judged by what it tells of each answer.
set -eu

fail() {
    echo "client: $*" >&2
    exit 1
}

# A shell that waits in the foreground would not hear the signal.
trap 'trap "" TERM; kill 0; exit 143' TERM

read -ra urls <<<"$REQUESTS"
[ ${#urls[@]} -gt 0 ] || fail "no REQUESTS"
authority=${urls[0]#https://}
authority=${authority%%/*}
host=${authority%:*}
port=${authority##*:}

work=$(mktemp -d)
options=(
    --exit-on-all-streams-close --download=/downloads --qlog-dir="$QLOGDIR" --no-quic-dump --no-http-dump
    # Windows that are small at first and grow.
    --max-data=256K --max-window=6M --max-stream-data-bidi-local=128K --max-stream-window=6M
    # Half a minute, its own idle time-out, is short for a lossy network.
    --timeout=180s --handshake-timeout=180s
)

# fetch URL…: one connection. Adds what became of each request to $work/answers.
fetch() {
    gtlsclient "${options[@]}" "$host" "$port" "$@" 2>&1 |
        awk -v rest=/logs/client.log -f /opt/ngtcp2/answers.awk >>"$work/answers" &
    wait $!
}

# The first file on one connection, the others on a second one that resumes the first.
fetch_resuming() {
    options+=(--session-file="$work/session" --tp-file="$work/parameters")
    options+=(--wait-for-ticket)
    fetch "${urls[0]}"
    [ -s "$work/session" ] || fail "no session ticket came"
    unset 'options[-1]'
    fetch "${urls[@]:1}"
}

case $TESTCASE in
    chacha20)
        options+=(--ciphers=NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305)
        fetch "${urls[@]}"
        ;;
    keyupdate)
        # Counted from the confirmed handshake: the update comes before the first request.
        options+=(--key-update=10ms --delay-stream=50ms)
        fetch "${urls[@]}"
        ;;
    v2)
        options+=("--available-versions=v2,v1")
        fetch "${urls[@]}"
        ;;
    resumption)
        options+=(--disable-early-data)
        fetch_resuming
        ;;
    zerortt)
        # Probes for a larger packet size are sent in 1-RTT, where this test counts the bytes.
        options+=(--no-pmtud)
        fetch_resuming
        ;;
    multiconnect)
        for url in "${urls[@]}"; do fetch "$url"; done
        ;;
    *) fetch "${urls[@]}" ;;
esac

declare -A size answer
while read -r bytes name; do size[$name]=$bytes; done < <(find /downloads -maxdepth 1 -type f -printf '%s %f\n')
while read -r path told; do answer[${path##*/}]=$told; done <"$work/answers"
bad=0
for url in "${urls[@]}"; do
    name=${url##*/}
    read -r status length code <<<"${answer[$name]:-none - -}"
    # The error code 256 is HTTP/3's for no error. A length is not always declared.
    if [ "$status $code" = "200 256" ] && [ "${size[$name]:-missing}" = "${length/#-/${size[$name]:-}}" ]; then continue; fi
    echo "client: $name is not complete: status $status, error code $code, ${size[$name]:-no} bytes of $length" >&2
    bad=$((bad + 1))
done
[ $bad -eq 0 ] || fail "$bad of ${#urls[@]} files are not complete"
