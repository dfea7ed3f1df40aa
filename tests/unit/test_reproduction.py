"""Scenes as shell commands: what a shell makes of them, and real processes started by them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis_servers import free_port, redis_program

from ci.engines.by_hand import REDIS_SERVER, docker_lines, process_lines
from ci.engines.programs import Program
from ci.model import Contract, PublishedImage, Role, Transport, Version
from ci.spec.attempt import Address, AttemptSpec, Limits, Surroundings
from ci.suites.transport.running import TransportRun
from ci.suites.transport.words import Stack

PEER = Path(__file__).resolve().parents[1] / "peers" / "peer.sh"
CASE = Stack("tcp", "noise", "yamux").case("dialing", "listening")
SAME = (Contract.UNIFIED, Contract.UNIFIED)
# Stands in for the real one: writes its words down, each one behind a mark.
DOCKER = 'docker() { for word in "$@"; do printf "<%s>" "$word"; done; echo; } 2>&1\n'


def spec_of(contracts: tuple[Contract, Contract] = SAME, surroundings: Surroundings | None = None) -> AttemptSpec:
    versions = {
        name: Version(
            id=name,
            family=name,
            source=PublishedImage(reference=name),
            transports=(Transport(name="tcp"),),
            contract=contract,
            timeout_seconds=20,
        )
        for name, contract in zip(("dialing", "listening"), contracts, strict=True)
    }
    return TransportRun(versions).attempt_spec(
        CASE,
        images={"dialing": "sha256:d", "listening": "sha256:l"},
        surroundings=surroundings or Surroundings(),
        attempt="1",
    )


def shell(lines: str) -> list[str]:
    done = subprocess.run(["sh", "-c", lines], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def lines_of(spec: AttemptSpec) -> list[str]:
    return docker_lines(spec, helper="helper:1", images={"sha256:d": "dialing:1", "sha256:l": "listening:1"})


# --- docker -----------------------------------------------------------------------------------------------


def options(line: str, name: str) -> list[str]:
    words = line.strip("<>").split("><")
    return [words[number + 1] for number, word in enumerate(words) if word == name]


def test_both_sides_get_what_the_scene_says() -> None:
    spec = spec_of()
    limited = replace(spec.participant("dialer"), limits=Limits(memory_bytes=300 * 1024 * 1024, processes=7))
    said = shell(DOCKER + "\n".join(lines_of(spec.changed(limited))))
    (dialer,) = [line for line in said if "-dialer><--network>" in line]
    (listener,) = [line for line in said if "-listener><--network>" in line]

    for line, participant in ((dialer, spec.participant("dialer")), (listener, spec.participant("listener"))):
        assert options(line, "-e") == [f"{name}={value}" for name, value in participant.environment.items()]
        assert options(line, "--cap-drop") == ["ALL"]
    assert dialer.endswith("<dialing:1>")
    assert listener.endswith("<listening:1>")
    assert ("<-d>" in dialer, "<-d>" in listener) == (False, True)
    assert options(dialer, "--memory") == options(dialer, "--memory-swap") == ["300m"]
    assert options(dialer, "--pids-limit") == ["7"]
    assert "the dialer exited 0" in said


def test_everything_that_is_made_is_removed() -> None:
    # The line that removes containers keeps their names to itself.
    said = shell(DOCKER + "\n".join(lines_of(spec_of())).replace("> /dev/null", ""))
    made = {name for line in said for name in options(line, "--name")}
    (removal,) = [line for line in said if line.startswith("<rm>")]
    network = [line for line in said if line.startswith("<network>")]

    assert len(made) == 3
    assert made <= set(removal.strip("<>").split("><"))
    assert [line.split("><")[1] for line in network] == ["create", "rm"]
    assert network[0].split("><")[-1] == network[1].split("><")[-1]


def test_redis_is_started_as_the_engine_starts_it_and_before_anybody_asks() -> None:
    said = shell(DOCKER + "\n".join(lines_of(spec_of())))

    assert "<helper:1>" + "".join(f"<{word}>" for word in REDIS_SERVER) in said[1]
    assert options(said[1], "--network-alias") == ["redis"]
    listener = next(number for number, line in enumerate(said) if "-listener><--network>" in line)
    assert listener > 1


@pytest.mark.parametrize(
    "contracts", [SAME, (Contract.CLASSIC, Contract.UNIFIED), (Contract.UNIFIED, Contract.CLASSIC)]
)
def test_only_two_generations_need_somebody_to_carry_the_address(contracts: tuple[Contract, Contract]) -> None:
    spec = spec_of(contracts)
    keys = spec.coordination
    assert keys is not None
    carrying = [line for line in lines_of(spec) if " lmove " in line]

    assert len(carrying) == len(set(contracts)) - 1
    for line in carrying:
        assert f"lmove {keys.listener_key} {keys.dialer_key} " in line


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_]{1,5}", fullmatch=True),
        st.text(st.characters(exclude_characters="\0\n\r<>", exclude_categories=["Cs"]), max_size=8),
        max_size=3,
    )
)
def test_any_value_survives_the_shell(variables: Mapping[str, str]) -> None:
    spec = spec_of()
    spec = spec.changed(replace(spec.participant("dialer"), environment=variables))
    script = DOCKER + next(line for line in lines_of(spec) if "-dialer --network" in line)
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True, timeout=60)

    assert options(done.stdout.decode().split("\n")[0], "-e") == [
        f"{name}={value}" for name, value in variables.items()
    ]


# --- processes --------------------------------------------------------------------------------------------

BASICS = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


def surroundings(password: str | None = None) -> Surroundings:
    redis = Address(host="127.0.0.1", port=free_port())
    return Surroundings(redis=redis, redis_password=password, listen_ip="127.0.0.1", shared_loopback=True)


@pytest.mark.parametrize("contracts", [SAME, (Contract.CLASSIC, Contract.UNIFIED)])
@pytest.mark.parametrize(
    ("dialer", "listener", "password", "said"),
    [
        ("good", "good", None, "the dialer exited 0"),
        ("good", "good", "it's a $ecret", "the dialer exited 0"),
        ("exit-3", "good", None, "the dialer exited 3"),
        # Between two generations too: what is no list for the one is none for the other.
        ("insists", "publishes-with-set", None, "the dialer exited 1"),
    ],
)
def test_processes_started_by_hand(
    tmp_path: Path, contracts: tuple[Contract, Contract], dialer: str, listener: str, password: str | None, said: str
) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    tools = redis_program().parent
    around = surroundings(password)
    spec = spec_of(contracts, around)
    programs = {
        participant.image: Program(
            command=("/bin/bash", str(PEER)),
            environment={"BEHAVIOUR": how, "PATH": f"{tools}:{BASICS['PATH']}"},
            folder=str(folder) if participant.role == "listener" else None,
        )
        for participant, how in ((spec.participant("dialer"), dialer), (spec.participant("listener"), listener))
    }
    lines = process_lines(
        spec,
        around,
        programs,
        environment=BASICS,
        redis_server=str(tools / "redis-server"),
        redis_cli=str(tools / "redis-cli"),
    )
    done = subprocess.run(
        ["sh"], input="\n".join([*lines, "wait", ""]), capture_output=True, text=True, check=False, timeout=60
    )

    assert said in done.stdout, done.stderr
    assert ("7.342" in done.stdout) == (dialer == "good")
    assert ("WRONGTYPE" in done.stderr) == (listener == "publishes-with-set")


@pytest.mark.parametrize("role", ["dialer", "listener"])
def test_a_process_sees_nothing_of_the_shell_it_is_started_from(role: Role) -> None:
    spec = spec_of(surroundings=surroundings())
    env = Program(command=("/usr/bin/env",))
    programs = {participant.image: env for participant in spec.participants}
    lines = process_lines(spec, surroundings(), programs, environment=BASICS, redis_server="redis-server")
    participant = spec.participant("dialer") if role == "dialer" else spec.participant("listener")
    line = next(it for it in lines if ("listener=$!" in it) == (role == "listener") and "env -i" in it)
    seen = shell("export STRAY=1; home=/\n" + line + ("\nwait" if role == "listener" else ""))
    values = dict(it.split("=", 1) for it in seen if "=" in it)

    assert set(values) == {*participant.environment, "PATH", "HOME", "TMPDIR"}
    assert values["HOME"] == values["TMPDIR"] == "/"
