"""Several slots at once, as a shard has them: what happens in one is no business of another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from fake_peers import PeerImage, Play, Played

from ci.engines.base import Engine
from ci.model import Outcome, ReasonCode


def test_slots_side_by_side_never_meet(engine: Engine, peer_image: PeerImage) -> None:
    """Every listener uses the same key and every dialer the same name of Redis: only the slot tells them apart."""

    def work(number: int) -> list[Played]:
        peers = {f"/ip4/10.0.{number}.{case}/tcp/4001": case for case in range(3)}
        with engine.slot(number) as slot:
            play = Play(slot, peer_image)
            return [play("tells", images={"listening": peer_image("good", address=address)}) for address in peers]

    images = [("tells", ""), *(("good", f"/ip4/10.0.{slot}.{case}/tcp/4001") for slot in (3, 4) for case in range(3))]
    for behaviour, address in images:  # made here: two threads would make them twice
        peer_image(behaviour, address=address)
    with ThreadPoolExecutor() as pool:
        played = list(pool.map(work, (3, 4)))

    for number, cases in zip((3, 4), played, strict=True):
        heard = [it.output("dialer", "stderr") for it in cases]
        assert heard == [f"got: /ip4/10.0.{number}.{case}/tcp/4001\n" for case in range(3)]
        assert all(it.verdict.outcome is Outcome.PASSED for it in cases)


def test_one_slot_bears_a_bad_case_after_another(play: Play) -> None:
    """Green, red, hanging, error, flooded with binary data, and green again, on one slot and without a pause."""
    outcomes = [
        play("good").verdict.outcome,
        play("exit-1").verdict.outcome,
        play("hang", "hang", deadline=1).verdict.outcome,
        play("exit-127").verdict.outcome,
        play("binary", "crashes").verdict.outcome,
        play("good").verdict.outcome,
    ]

    assert outcomes == [
        Outcome.PASSED, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.ERROR, Outcome.PASSED, Outcome.PASSED,
    ]  # fmt: skip


def test_the_reason_names_who_it_was(play: Play) -> None:
    played = play("exit-1", "silent")

    assert played.code == ReasonCode.DIALER_EXIT.value
    assert played.text.endswith("its last line: giving up")
