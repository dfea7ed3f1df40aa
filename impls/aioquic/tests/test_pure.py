"""What can be said without a connection: tasks, names of files, messages, negotiated protocols."""

from __future__ import annotations

from pathlib import Path

import pytest
from qns import files
from qns.task import Task, Url, by_endpoint, from_environment, parse_url
from qns.webtransport.messages import Get, Push, parse
from qns.webtransport.negotiation import choose, format_list, format_string, parse_list, parse_string


def test_a_task_is_what_the_environment_says() -> None:
    task = from_environment(
        {
            "ROLE": "client",
            "TESTCASE": "transfer",
            "REQUESTS": "https://server4:443/a https://server4:443/b",
            "PROTOCOLS": "",
            "SSLKEYLOGFILE": "/logs/keys.log",
        }
    )
    assert task.urls == [Url("server4", 443, "/a"), Url("server4", 443, "/b")]
    assert not task.is_webtransport
    assert task.places.key_log == Path("/logs/keys.log")
    assert task.places.qlog is None


@pytest.mark.parametrize(
    ("testcase", "protocols", "expected"),
    [
        ("transfer", (), False),
        ("transfer", ("slug",), True),
        ("handshake", ("a", "b"), True),
        ("transfer-datagram-send", (), True),
    ],
)
def test_the_suite_is_told_by_the_protocols(testcase: str, protocols: tuple[str, ...], expected: bool) -> None:
    assert Task("server", testcase, protocols=protocols).is_webtransport is expected


def test_an_authority_names_only_an_unusual_port() -> None:
    assert parse_url("https://server6:443/x").authority == "server6"
    assert parse_url("https://[fd00::1]:4433/x").authority == "[fd00::1]:4433"


@pytest.mark.parametrize("text", ["http://server4/x", "server4/x", "https:///x"])
def test_other_urls_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an https URL"):
        parse_url(text)


def test_files_are_sorted_by_endpoint() -> None:
    assert by_endpoint(["/one/a", "two/b", "/one/c", "/three"]) == {"one": ["a", "c"], "two": ["b"], "three": []}


def test_nothing_outside_a_folder_is_read_or_written(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    www = tmp_path / "www"
    www.mkdir()
    (www / "link").symlink_to(tmp_path / "secret")
    files.write(www, "/file", b"content")
    assert files.read(www, "/file") == b"content"
    for name in ("../secret", "/../secret", "link", "/", "", "none"):
        with pytest.raises(FileNotFoundError):
            files.read(www, name)
    with pytest.raises(FileNotFoundError):
        files.write(www, "../other", b"")


@pytest.mark.parametrize("message", [Get("a-name"), Push("a-name", b""), Push("a-name", b"\nPUSH other\n\x00")])
def test_a_message_is_read_as_it_was_written(message: Get | Push) -> None:
    assert parse(message.encode()) == message


@pytest.mark.parametrize("data", [b"", b"PUT x", b"PUSH without-newline", b"get x"])
def test_other_messages_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="neither GET nor PUSH"):
        parse(data)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (b"", []),
        (b'"a"', ["a"]),
        (b'"a", "b","c" ,\t"d"', ["a", "b", "c", "d"]),
        (b'"a";q=1, "b"', ["a", "b"]),
        (b'"with, comma", "with \\"quotes\\" and \\\\"', ["with, comma", 'with "quotes" and \\']),
    ],
)
def test_lists_of_strings_are_read(field: bytes, expected: list[str]) -> None:
    assert parse_list(field) == expected


@pytest.mark.parametrize("field", [b"a", b'"a" "b"', b'"a",', b'"a', b'"\\x"', b"1, 2"])
def test_other_lists_are_refused(field: bytes) -> None:
    with pytest.raises(ValueError, match="no list of strings"):
        parse_list(field)


def test_fields_are_read_as_they_were_written() -> None:
    names = ["plain", 'a "quoted" one', "back\\slash"]
    assert parse_list(format_list(names)) == names
    assert parse_string(format_string(names[1])) == names[1]
    with pytest.raises(ValueError, match="not one string"):
        parse_string(b'"a", "b"')


def test_the_client_prefers_and_the_server_knows() -> None:
    assert choose(["x", "s1", "s2"], ["s2", "y", "s1"]) == "s1"
    assert choose(["x"], ["y"]) is None
