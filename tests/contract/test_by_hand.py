"""What an engine says of how to do without it, done: the same verdict by hand, on every engine."""

from __future__ import annotations

import re
import subprocess

import pytest
from fake_peers import PeerImage, Play

from ci.engines.base import Engine
from ci.model import Contract

SAME = (Contract.UNIFIED, Contract.UNIFIED)
# Somebody has to carry the address from one key to the other.
DIFFERENT = (Contract.UNIFIED, Contract.CLASSIC)


@pytest.mark.parametrize(
    ("dialer", "contracts", "status"), [("good", SAME, 0), ("good", DIFFERENT, 0), ("exit-3", SAME, 3)]
)
def test_the_same_by_hand(
    engine: Engine, peer_image: PeerImage, dialer: str, contracts: tuple[Contract, Contract], status: int
) -> None:
    with engine.slot(6) as slot:
        played = Play(slot, peer_image)(dialer, contracts=contracts)
        lines = engine.reproduction(played.spec, slot, names={}, folder=None)
    # The slot is gone: the commands have to make everything they need.
    done = subprocess.run(
        ["sh"], input="\n".join([*lines, ""]), capture_output=True, text=True, check=False, timeout=120
    )

    assert f"the dialer exited {status}" in done.stdout, done.stderr
    by_engine = played.output("dialer", "stdout")
    assert by_engine in done.stdout
    assert bool(re.search(r"7\.342", by_engine)) == (status == 0)
