"""What a host without a working engine is told; needs none."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ci.engines.daemon import connect
from ci.errors import EngineError


@pytest.mark.parametrize("there", [False, True], ids=["no-socket", "nobody-listens"])
def test_no_engine_is_told_in_words_and_leaks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    path = tmp_path / "docker.sock"
    if there:
        with socket.socket(socket.AF_UNIX) as nobody:
            nobody.bind(str(path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")

    with pytest.raises(EngineError) as caught:
        connect()

    assert caught.value.reference == "engine-unreachable"
    assert str(path) in caught.value.message
    assert caught.value.hint
