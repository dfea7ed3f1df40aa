"""Command lines: slips are answered with the nearest word, and what the help shows can be typed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.__main__ import command_line
from ci.commands.run_shard import repro_command
from ci.errors import ConfigurationError, ExitCode
from ci.runner.shard import Settings
from ci.util.arguments import LONGEST_SECONDS, Parser, seconds, whole_number

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = re.compile(r"^example: (.*)$", re.MULTILINE)


def parsers() -> dict[str, Parser]:
    parser = command_line()
    return dict(parser._commands.choices)


def refused(*words: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        command_line().parse_args(words)
    assert caught.value.message
    assert caught.value.why
    assert caught.value.hint
    return caught.value


# --- unknown words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "meant"), [("lst", "list"), ("run-shards", "run-shard"), ("Interop", "interop")])
def test_an_unknown_command_suggests_one(word: str, meant: str) -> None:
    error = refused(word, "--help")

    assert error.reference == "unknown-command"
    assert f"did you mean `{meant}`?" in error.message


@pytest.mark.parametrize("name", parsers())
def test_every_command_knows_what_hepl_means(name: str) -> None:
    error = refused(name, "--hepl")

    assert error.reference == "unknown-flag"
    assert "did you mean `--help`" in error.message
    assert f"nox -s {name} -- --help" in error.hint


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("run-shard", "1/1", "--wrokers", "2"), "--workers"),
        (("run-shard", "--wrokers=2"), "--workers"),  # said before the missing argument is
        (("run-shard", "1/1", "--time", "3"), "--timeout"),  # the beginning of a flag is not the flag
        (("list", "--plan"), "--plan-ci"),
        (("--hlep",), "--help"),
    ],
)
def test_an_unknown_flag_suggests_one(words: tuple[str, ...], meant: str) -> None:
    assert f"did you mean `{meant}`" in refused(*words).message


def test_what_is_like_nothing_suggests_nothing() -> None:
    assert "did you mean" not in refused("list", "--zebra").message


def test_after_two_dashes_nothing_is_a_flag() -> None:
    assert command_line().parse_args(["build-images", "--", "--hepl"]).selection == ["--hepl"]


def test_an_argument_too_many_is_named() -> None:
    error = refused("list", "go-v0.51")

    assert (error.reference, "`go-v0.51`" in error.message) == ("superfluous-argument", True)


def test_a_missing_argument_shows_how_the_command_is_written() -> None:
    error = refused("run-shard")

    assert "INDEX/COUNT" in error.message
    assert error.why == "it is written: nox -s run-shard -- INDEX/COUNT [FLAGS]"


def test_what_has_to_be_given_is_in_that_line_flags_among_it() -> None:
    assert refused("export-results").why == (
        "it is written: nox -s export-results -- --format "
        "{badge,comment,csv,html,json-lines,junit,prometheus,step-summary,quic-interop-runner} [MERGED.JSON] [FLAGS]"
    )


# --- values -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "values"),
    [
        ("--workers", ["x", "0", "-1", "1.5", "", "9" * 5000, "1025"]),
        ("--retries", ["-2", "many", "1e3"]),
        ("--timeout", ["-1", "0", "nan", "NaN", "inf", "1e400", "soon", "", "86401"]),
        ("--timeout-factor", ["-1", "0", "nan", "inf", "100.1", "twice", ""]),
    ],
)
def test_values_out_of_bounds(flag: str, values: list[str]) -> None:
    for value in values:
        error = refused("run-shard", "1/1", flag, value)
        assert (error.reference, flag in error.message) == ("bad-value", True)


def test_a_time_and_a_factor_are_one_too_many() -> None:
    error = refused("run-shard", "1/1", "--timeout", "5", "--timeout-factor", "2")
    assert "--timeout-factor" in error.message


@pytest.mark.parametrize("value", ["-inf", "-nan"])
def test_a_value_that_looks_like_a_flag_is_no_unknown_flag(value: str) -> None:
    assert "--timeout" in refused("run-shard", "1/1", "--timeout", value).message


@given(st.text(max_size=30))
def test_any_text_is_a_number_within_bounds_or_refused(text: str) -> None:
    for parse, low, high in ((whole_number("-n", minimum=2, maximum=9), 2, 9), (seconds("-t"), 0, LONGEST_SECONDS)):
        try:
            value = parse(text)
        except ConfigurationError:
            continue
        assert low <= value <= high


@given(st.integers(min_value=2, max_value=9), st.floats(min_value=1e-6, max_value=LONGEST_SECONDS))
def test_numbers_within_bounds_are_taken(number: int, time: float) -> None:
    assert whole_number("-n", minimum=2, maximum=9)(str(number)) == number
    assert seconds("-t")(repr(time)) == time


# --- help -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", parsers())
def test_every_help_has_examples_that_can_be_typed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command_line().parse_args([name, "--help"])
    assert caught.value.code == 0
    examples = EXAMPLE.findall(capsys.readouterr().out)
    assert examples
    for example in examples:
        nox, session, command, *words = shlex.split(example)
        assert (nox, session, command, words[:1]) == ("nox", "-s", name, ["--"])
        command_line().parse_args([name, *words[1:]])


@pytest.mark.parametrize("name", parsers())
def test_every_command_is_a_nox_session(name: str) -> None:
    assert f'pipeline(session, "{name}")' in (ROOT / "noxfile.py").read_text(encoding="utf-8")


def test_the_line_that_repeats_a_case_names_the_same_versions_and_limits() -> None:
    case = "py-v0.8 x go-v0.51 (tcp, noise, yamux)"
    words = ["--extra-versions", "my head.yaml", "--extra-versions", "b.yaml", "--timeout", "7.5", "--strict-exit"]
    line = repro_command(command_line().parse_args(["run-shard", "1/1", *words]), case)
    nox, *prefix, name = shlex.split(line)[:5]
    again = command_line().parse_args(["repro", *shlex.split(line)[4:]])

    assert (nox, prefix, name) == ("nox", ["-s", "repro", "--"], case)
    assert (again.case, again.timeout, again.strict_exit) == ([case], 7.5, True)
    assert again.extra_versions == [Path("my head.yaml"), Path("b.yaml")]
    slow = command_line().parse_args(["interop", "--timeout-factor", "2.5"])
    assert repro_command(slow, case) == f'nox -s repro -- "{case}" --timeout-factor 2.5'
    plain = command_line().parse_args(["interop"])
    assert repro_command(plain, case) == f'nox -s repro -- "{case}"' == Settings(workers=1).repro(case)


# --- as a process -----------------------------------------------------------------------------------------


def run(*words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "ci", *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


def test_no_command_at_all_prints_help_and_is_a_mistake() -> None:
    code, said = run()

    assert code == ExitCode.CONFIGURATION
    assert "run-shard" in said
    assert "example: " in said


@pytest.mark.parametrize(
    "words", [("lst",), ("interop", "--hepl"), ("run-shard", "1/1", "--workers", "x"), ("run-shard",)]
)
def test_a_slip_is_answered_in_three_lines_and_with_status_2(words: tuple[str, ...]) -> None:
    code, said = run(*words)

    assert code == ExitCode.CONFIGURATION
    assert [line.split(":")[0] for line in said.splitlines()] == ["error", "  why", "  do this", "  reference"]


def test_help_is_no_mistake() -> None:
    code, said = run("list", "--help")

    assert (code, "example: nox -s list -- " in said) == (ExitCode.GREEN, True)
