"""aioquic as an endpoint of the QUIC and the WebTransport suite, client or server, in one container."""
