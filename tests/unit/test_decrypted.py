"""Copies of captures with the secrets in them: where they lie, and that they open without a key log."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest
from quic_traffic import CAPTURES, needs_tshark

from ci.decrypted import captures_below, decrypted_copies
from ci.errors import EngineError
from ci.suites.quic.packets import PacketType
from ci.suites.quic.tshark import read_trace


def attempt(folder: Path, *, key_log: bool = True) -> Path:
    """What an attempt leaves behind, of a stored exchange."""
    (folder / "sim").mkdir(parents=True)
    (folder / "client").mkdir()
    for side in ("left", "right"):
        data = gzip.decompress((CAPTURES / "handshake" / f"{side}.pcap.gz").read_bytes())
        (folder / "sim" / f"trace_node_{side}.pcap").write_bytes(data)
    if key_log:
        shutil.copy(CAPTURES / "handshake" / "keys.log", folder / "client" / "keys.log")
    return folder


@needs_tshark
def test_a_copy_opens_without_a_key_log(tmp_path: Path) -> None:
    folder = attempt(tmp_path)
    copies = decrypted_copies(folder)

    assert [path.name for path in copies] == ["trace_node_left.pcap", "trace_node_right.pcap"]
    for capture, copy in copies.items():
        assert copy.name == f"{capture.stem}.decrypted.pcapng"
        with_copy, without = (
            [it for it in read_trace(path, None).packets("server", PacketType.ONE_RTT) if it.decrypted]
            for path in (copy, capture)
        )
        assert with_copy
        assert not without
    # What is a copy is not taken for a capture the next time.
    assert captures_below(folder) == list(copies)


@needs_tshark
def test_every_repetition_has_its_own(tmp_path: Path) -> None:
    for number in ("1", "2"):
        attempt(tmp_path / number)
    assert [path.relative_to(tmp_path).parts[0] for path in decrypted_copies(tmp_path)] == ["1", "1", "2", "2"]


def test_nothing_is_copied_without_secrets(tmp_path: Path) -> None:
    folder = attempt(tmp_path, key_log=False)
    (folder / "client" / "keys.log").write_text("# nothing yet\n")
    assert decrypted_copies(folder) == {}


def test_an_empty_capture_is_left_alone(tmp_path: Path) -> None:
    folder = attempt(tmp_path)
    for capture in captures_below(folder):
        capture.write_bytes(b"")
    assert decrypted_copies(folder) == {}


def test_no_editcap_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="editcap"):
        decrypted_copies(attempt(tmp_path / "attempt"))
