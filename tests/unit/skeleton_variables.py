"""What the runner sets for the two sides of a case, in either generation of the contract."""

from __future__ import annotations

__all__ = ["CLASSIC", "UNIFIED"]

CLASSIC = {"transport": "tcp", "security": "noise", "muxer": "yamux", "is_dialer": "true", "ip": "127.0.0.1"}
UNIFIED = {
    "TEST_KEY": "0a0b0c0d",
    "TRANSPORT": "tcp",
    "SECURE_CHANNEL": "noise",
    "MUXER": "yamux",
    "IS_DIALER": "true",
    "LISTENER_IP": "127.0.0.1",
    "REDIS_ADDR": "redis:6379",
}
