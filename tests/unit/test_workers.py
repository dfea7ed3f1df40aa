"""How many workers take cases, from what is seen of the host."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.runner.workers import AUTO, HostMeter, HostUse, Workers, most_workers, next_count

GIB = 1 << 30
ASLEEP = HostUse(idle=0.9, memory=8 * GIB)
BUSY = HostUse(idle=0.02, memory=8 * GIB)
HALF = HostUse(idle=0.3, memory=8 * GIB)


@pytest.mark.parametrize(
    ("uses", "count"),
    [
        ([], 4),
        ([ASLEEP], 4),
        ([ASLEEP, ASLEEP], 5),
        ([BUSY, ASLEEP, ASLEEP], 5),
        ([ASLEEP, HALF], 4),
        ([BUSY, BUSY], 4),
        ([BUSY, BUSY, BUSY], 3),
        ([HALF, HALF, HALF], 4),
        # A host without memory ends programs, whatever its processors do.
        ([HostUse(idle=0.9, memory=GIB), ASLEEP], 4),
        ([HostUse(idle=0.9, memory=GIB // 2)], 3),
    ],
)
def test_one_more_where_processors_have_nothing_to_do(uses: list[HostUse], count: int) -> None:
    assert next_count(4, uses, least=2, most=8) == count


@given(
    st.integers(2, 8),
    st.lists(st.builds(HostUse, idle=st.floats(0, 1), memory=st.integers(0, 16 * GIB)), max_size=6),
)
def test_never_more_than_the_most_nor_fewer_than_the_least(count: int, uses: list[HostUse]) -> None:
    changed = next_count(count, uses, least=2, most=8)
    assert 2 <= changed <= 8
    assert abs(changed - count) <= 1


def host(folder: Path, user: int, idle: int, waiting: int = 0) -> None:
    stat = f"cpu  {user} 0 0 {idle} {waiting} 0 0 0 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n"
    (folder / "stat").write_text(stat, encoding="ascii")
    (folder / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable:       64 kB\n", encoding="ascii")


def test_a_host_is_looked_at_from_one_look_to_the_next(tmp_path: Path) -> None:
    host(tmp_path, user=1000, idle=1000)
    meter = HostMeter(tmp_path)
    host(tmp_path, user=1075, idle=1015, waiting=10)
    assert meter.look() == HostUse(idle=0.25, memory=64 * 1024)
    assert meter.look() is None  # no time has passed
    host(tmp_path, user=1075, idle=1115, waiting=10)
    assert meter.look() == HostUse(idle=1.0, memory=64 * 1024)


def test_where_there_is_nothing_to_see_nothing_is_seen(tmp_path: Path) -> None:
    assert HostMeter(tmp_path).look() is None


def test_a_number_that_is_given_stays() -> None:
    workers = Workers(3, cases=100, processors=2)
    assert (workers.least, workers.now, workers.most) == (3, 3, 3)
    assert Workers(3, cases=2, processors=2).most == 2
    assert Workers(AUTO, cases=0, processors=2).most == 1
    assert (most_workers(AUTO, 2), most_workers(5, 2)) == (8, 5)


def test_the_others_wait_until_the_first_has_its_slot() -> None:
    workers = Workers(2, cases=10, processors=2)
    asked = iter([False, False, True])
    assert workers.admitted(0, lambda: False)
    assert not workers.admitted(1, lambda: next(asked))
    workers.begun()
    assert workers.admitted(1, lambda: False)
    assert not workers.admitted(1, lambda: True)


class Asleep(HostMeter):
    """A host with nothing to do."""

    def look(self) -> HostUse:
        return ASLEEP


def test_workers_come_while_the_host_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci.runner.workers.LOOK_SECONDS", 0.001)
    workers = Workers(AUTO, cases=100, processors=2, meter=Asleep())
    workers.begun()
    with workers.adapting():
        assert workers.admitted(7, lambda: False)
    assert workers.now == 8
