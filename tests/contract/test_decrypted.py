"""Copies of captures with the secrets in them: where they lie, and that they open without a key log."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

from quic_traffic import CAPTURES

from ci.spec.sandbox import OpenSandbox
from ci.suites.quic.captures.packets import PacketType
from ci.suites.quic.captures.reading import read_trace
from ci.suites.quic.decrypted import captures_below, decrypted_copies


def attempt(folder: Path, *, key_log: bool = True, name: str = "handshake") -> Path:
    """What an attempt leaves behind, of a stored exchange."""
    (folder / "sim").mkdir(parents=True)
    (folder / "client").mkdir()
    for side in ("left", "right"):
        data = gzip.decompress((CAPTURES / name / f"{side}.pcap.gz").read_bytes())
        (folder / "sim" / f"trace_node_{side}.pcap").write_bytes(data)
    if key_log:
        shutil.copy(CAPTURES / name / "keys.log", folder / "client" / "keys.log")
    return folder


def test_a_copy_opens_without_a_key_log(open_sandbox: OpenSandbox, tmp_path: Path) -> None:
    folder = attempt(tmp_path)
    copies = decrypted_copies(folder, open_sandbox)

    assert [path.name for path in copies] == ["trace_node_left.pcap", "trace_node_right.pcap"]
    for capture, copy in copies.items():
        assert copy.name == f"{capture.stem}.decrypted.pcapng"
        with_copy, without = (
            [it for it in read_trace(path, [], open_sandbox).packets("server", PacketType.ONE_RTT) if it.decrypted]
            for path in (copy, capture)
        )
        assert with_copy
        assert not without
    # What is a copy is not taken for a capture the next time.
    assert captures_below(folder) == list(copies)


def test_of_two_key_logs_the_one_that_opens_the_capture_is_taken(open_sandbox: OpenSandbox, tmp_path: Path) -> None:
    folder = attempt(tmp_path)
    (folder / "server").mkdir()
    tabbed = (folder / "client" / "keys.log").read_text().replace(" ", "\t")
    (folder / "server" / "keys.log").write_text(tabbed)
    shutil.copy(CAPTURES / "longrtt" / "keys.log", folder / "client" / "keys.log")
    for copy in decrypted_copies(folder, open_sandbox).values():
        assert any(it.decrypted for it in read_trace(copy, [], open_sandbox).packets("server", PacketType.ONE_RTT))


def test_what_follows_a_retry_opens_as_the_documentation_says(open_sandbox: OpenSandbox, tmp_path: Path) -> None:
    copies = decrypted_copies(attempt(tmp_path, name="always-validating"), open_sandbox)
    setting = "quic.reassemble_crypto_out_of_order:FALSE"
    assert setting in (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    close = ("-Y", "quic.frame_type == 0x1d || quic.frame_type == 0x1c")
    for copy in copies.values():
        with open_sandbox() as sandbox:
            file = sandbox.write("copy", copy.read_bytes())
            command = ["tshark", "-r", file, "-d", "udp.port==443,quic", "-o", setting, *close]
            assert b"".join(sandbox.run(command, seconds=60))


def test_every_repetition_has_its_own(open_sandbox: OpenSandbox, tmp_path: Path) -> None:
    for number in ("1", "2"):
        attempt(tmp_path / number)
    assert [path.relative_to(tmp_path).parts[0] for path in decrypted_copies(tmp_path, open_sandbox)] == [
        "1",
        "1",
        "2",
        "2",
    ]


def test_nothing_is_copied_without_secrets(open_sandbox: OpenSandbox, tmp_path: Path) -> None:
    folder = attempt(tmp_path, key_log=False)
    (folder / "client" / "keys.log").write_text("# nothing yet\n")
    assert decrypted_copies(folder, open_sandbox) == {}


def test_an_empty_capture_is_left_alone(open_sandbox: OpenSandbox, tmp_path: Path) -> None:
    folder = attempt(tmp_path)
    for capture in captures_below(folder):
        capture.write_bytes(b"")
    assert decrypted_copies(folder, open_sandbox) == {}
