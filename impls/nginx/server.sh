#!/bin/bash
# Debian's nginx, a server only: HTTP/3 and HTTP/0.9 (hq-interop) on one port, from a configuration made for the test
# case. It writes neither key log nor qlog. No zerortt, for this build does not take early data; no ecn, for it marks
# no packets; no v2 and no preferred address, which it does not know.
set -eu
mkdir -p /logs
cp /etc/endpoint/packages /logs/packages.txt

extra=
case $TESTCASE in
    retry) extra='quic_retry on;' ;;
    chacha20) extra='ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;' ;;
esac

cat >/etc/nginx/interop.conf <<EOF
# The key can be read by root alone.
user root;
# A second worker would get the packets of a client that has moved.
worker_processes 1;
pid /run/nginx.pid;
error_log /logs/error.log info;
events { worker_connections 1024; }
http {
    access_log /logs/access.log;
    server {
        listen 443 quic;
        listen [::]:443 quic;
        http3 on;
        http3_hq on;
        # The default of 2 is used up by a client that moves twice within some seconds, and then it is lost.
        quic_active_connection_id_limit 8;
        # Else it closes a connection after 1000 requests; the test of many streams makes 1999.
        keepalive_requests 100000;
        # Time for a lossy network: to be idle, to end a handshake, to be read from.
        keepalive_timeout 180s;
        client_header_timeout 180s;
        send_timeout 180s;
        ssl_certificate /certs/cert.pem;
        ssl_certificate_key /certs/priv.key;
        ssl_protocols TLSv1.3;
        $extra
        root /www;
        default_type application/octet-stream;
    }
}
EOF
exec nginx -c /etc/nginx/interop.conf -g 'daemon off;'
