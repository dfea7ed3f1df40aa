"""What a container may do is the same, asked of the engine's interface or typed for its command."""

from __future__ import annotations

from collections.abc import Iterator

from docker.types import HostConfig
from hypothesis import given
from hypothesis import strategies as st

from ci.engines.restrictions import Restrictions, of_participant
from ci.spec.attempt import MIB, Limits

names = st.lists(st.sampled_from(("ALL", "NET_ADMIN", "NET_RAW", "DAC_READ_SEARCH")), unique=True).map(tuple)
mebibytes = st.integers(6, 4096).map(lambda number: number * MIB)
restrictions = st.builds(
    Restrictions,
    drop=names,
    add=names,
    memory_bytes=st.none() | mebibytes,
    processes=st.none() | st.integers(1, 4096),
    core_bytes=st.none() | st.just(0),
    locked_bytes=st.none() | mebibytes,
)


def pairs(flags: list[str]) -> Iterator[tuple[str, str]]:
    words = iter(flags)
    for word in words:
        yield word, "" if word == "--init" else next(words)


@given(restrictions)
def test_flags_and_options_say_the_same(one: Restrictions) -> None:
    config = HostConfig(version="1.41", **one.options())
    flags = list(pairs(one.flags()))

    def given_to(flag: str) -> list[str]:
        return [value for name, value in flags if name == flag]

    assert given_to("--cap-drop") == (config.get("CapDrop") or [])
    assert given_to("--cap-add") == (config.get("CapAdd") or [])
    assert given_to("--security-opt") == config["SecurityOpt"] == ["no-new-privileges"]
    assert [config["Init"]] == [True for _ in given_to("--init")]
    for flag, key in (("--memory", "Memory"), ("--memory-swap", "MemorySwap")):
        assert [int(it.removesuffix("m")) * MIB for it in given_to(flag)] == [
            value for name, value in config.items() if name == key
        ]
    assert list(map(int, given_to("--pids-limit"))) == [value for name, value in config.items() if name == "PidsLimit"]
    asked = config.get("Ulimits") or []
    assert given_to("--ulimit") == [f"{it.name}={it.soft}:{it.hard}" for it in asked]


def test_a_participant_gets_its_limits_and_leaves_no_core_dump() -> None:
    limits = Limits(memory_bytes=300 * MIB, processes=7)
    given_words = " ".join(of_participant(limits).flags())
    assert given_words == (
        "--cap-drop ALL --security-opt no-new-privileges --init --ulimit core=0:0"
        " --memory 300m --memory-swap 300m --pids-limit 7"
    )
