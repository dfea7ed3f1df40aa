"""What is said in a session: `GET name`, and `PUSH name`, a newline and the content."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Get:
    """Somebody wants a file."""

    name: str

    def encode(self) -> bytes:
        """As it is sent."""
        return f"GET {self.name}".encode()


@dataclass(frozen=True)
class Push:
    """Here is a file."""

    name: str
    content: bytes

    def encode(self) -> bytes:
        """As it is sent."""
        return f"PUSH {self.name}\n".encode() + self.content


def parse(data: bytes) -> Get | Push:
    """One complete message; `ValueError` if it is none. White space after the name of a GET is forgiven."""
    verb, _, rest = data.partition(b" ")
    if verb == b"GET":
        return Get(rest.decode().rstrip())
    name, newline, content = rest.partition(b"\n")
    if verb == b"PUSH" and newline:
        return Push(name.decode().rstrip("\r"), content)
    raise ValueError(f"{data[:40]!r} is neither GET nor PUSH")
