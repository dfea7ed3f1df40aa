"""Chromium as a client of the WebTransport suite, without a window and driven from outside."""
