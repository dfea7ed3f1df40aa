"""The WebTransport suite: sessions over HTTP/3, and files asked for and pushed in them."""
