"""qlog written while things happen.

aioquic's own file logger keeps a connection in memory and writes it when the connection ends: megabytes per file
transferred, and nothing at all if the process is stopped first.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from aioquic.quic.logger import QLOG_VERSION, QuicLogger, QuicLoggerTrace

RECORD_SEPARATOR = "\x1e"  # RFC 7464: what begins a record of a JSON text sequence


class StreamingTrace(QuicLoggerTrace):
    """One connection's events, a line each."""

    def __init__(self, *, is_client: bool, odcid: bytes, folder: Path) -> None:
        super().__init__(is_client=is_client, odcid=odcid)
        role = "client" if is_client else "server"
        self._file = (folder / f"{odcid.hex()}_{role}.sqlog").open("w", encoding="utf-8")
        self._encode = json.JSONEncoder(separators=(",", ":")).encode
        self._write(
            {
                "qlog_version": QLOG_VERSION,
                "qlog_format": "JSON-SEQ",
                "trace": {
                    "vantage_point": {"name": "aioquic", "type": role},
                    "common_fields": {"ODCID": odcid.hex(), "time_format": "absolute"},
                },
            }
        )

    def log_event(self, *, category: str, event: str, data: dict[str, Any]) -> None:
        """Called by aioquic for everything that happens."""
        self._write({"time": self.encode_time(time.time()), "name": f"{category}:{event}", "data": data})

    def close(self) -> None:
        """Write what is buffered; nothing is logged any more."""
        self._file.close()

    def _write(self, record: dict[str, Any]) -> None:
        if not self._file.closed:
            self._file.write(f"{RECORD_SEPARATOR}{self._encode(record)}\n")


class StreamingLogger(QuicLogger):
    """Makes a file per connection in an existing folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._open: list[StreamingTrace] = []

    def start_trace(self, is_client: bool, odcid: bytes) -> StreamingTrace:
        """Called by aioquic when a connection begins."""
        trace = StreamingTrace(is_client=is_client, odcid=odcid, folder=self._folder)
        self._open.append(trace)
        return trace

    def end_trace(self, trace: QuicLoggerTrace) -> None:
        """Called by aioquic when a connection is over."""
        for ended in [each for each in self._open if each is trace]:
            ended.close()
            self._open.remove(ended)

    def close(self) -> None:
        """End the traces of connections that never were over."""
        for trace in self._open:
            trace.close()
        self._open.clear()
