"""A QUIC connection on which HTTP is spoken: HTTP/0.9 or HTTP/3, whichever was negotiated."""

from __future__ import annotations

from typing import Any

from aioquic.asyncio import QuicConnectionProtocol
from aioquic.h0.connection import H0Connection
from aioquic.h3.connection import H3_ALPN, ErrorCode, H3Connection
from aioquic.h3.events import H3Event
from aioquic.quic.events import ConnectionTerminated, ProtocolNegotiated, QuicEvent, StreamReset

CLEAN_ENDS = (0, ErrorCode.H3_NO_ERROR)


class PeerError(Exception):
    """The peer did not do what it should have; the message is for people."""


class HttpProtocol(QuicConnectionProtocol):
    """What client and server have in common. `http` is there from the moment ALPN has chosen."""

    enable_webtransport = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.http: H0Connection | H3Connection | None = None
        self.alpn: str | None = None
        self.end: ConnectionTerminated | None = None

    def speak(self, alpn: str) -> None:
        """Begin with a protocol; a client with early data does before it has been negotiated again."""
        self.alpn = alpn
        if alpn in H3_ALPN:
            self.http = H3Connection(self._quic, enable_webtransport=self.enable_webtransport)
        else:
            self.http = H0Connection(self._quic)

    def close(self, error_code: int | None = None, reason_phrase: str = "") -> None:
        """Close the connection, by default with the code that means no error in its protocol."""
        if error_code is None:
            error_code = ErrorCode.H3_NO_ERROR if self.alpn in H3_ALPN else 0
        super().close(error_code, reason_phrase)

    def quic_event_received(self, event: QuicEvent) -> None:
        """Called by aioquic."""
        match event:
            case ProtocolNegotiated(alpn_protocol=str(alpn)) if self.http is None:
                self.speak(alpn)
            case StreamReset():
                self.stream_failed(event.stream_id, f"the peer reset stream {event.stream_id} ({event.error_code:#x})")
            case ConnectionTerminated():
                self.end = event
                self.terminated(event)
        if self.http is not None:
            for http_event in self.http.handle_event(event):
                self.http_event_received(http_event)

    def http_event_received(self, event: H3Event) -> None:
        """Headers or data arrived."""

    def stream_failed(self, stream_id: int, reason: str) -> None:
        """Nothing more will arrive on a stream."""

    def terminated(self, event: ConnectionTerminated) -> None:
        """The connection is over."""


def describe(event: ConnectionTerminated | None) -> str:
    """Why a connection is over, in words."""
    if event is None:
        return "the connection is over"
    reason = f": {event.reason_phrase}" if event.reason_phrase else ""
    return f"the connection ended with error {event.error_code:#x}{reason}"
