"""Files out of a container: all that any system can hold, under names that any system takes."""

from __future__ import annotations

from pathlib import Path

from ci.engines.docker.daemon import Daemon
from ci.engines.docker.files import take_folder
from ci.spec.attempt import MIB
from ci.util.portable_names import original_name

SCRIPT = r"""
mkdir -p /logs/attempt-2 /logs/Sub /logs/sub "/logs/$(printf 'd%.0s' $(seq 200))" && cd /logs
echo plain >keys.log; echo other >KEYS.log; echo own >attempt-2/keys.log; echo one >Sub/x; echo two >sub/x
echo slash >'a\b'; echo signs >'":<>|*?'; echo feed >"$(printf 'line\r\nfeed')"; echo bytes >"$(printf '\377')"
echo hidden >.hidden; echo long >"$(printf '%0200d' 0)"; echo deep >"$(printf 'd%.0s' $(seq 200))/x"
echo longer >"$(printf '?%.0s' $(seq 100))"
ln -s /etc/passwd link; mkfifo pipe
"""


def test_names_that_some_system_refuses(daemon: Daemon, helper_image: str, tmp_path: Path) -> None:
    made = daemon.api.create_container(
        helper_image, ["-c", SCRIPT], entrypoint="sh", user="0", name=f"{daemon.prefix}-names", labels=daemon.labels()
    )
    try:
        daemon.api.start(made["Id"])
        assert daemon.api.wait(made["Id"])["StatusCode"] == 0
        assert not take_folder(daemon, made["Id"], "/logs", tmp_path / "client", most_bytes=MIB)  # one is too long
    finally:
        daemon.api.remove_container(made["Id"], force=True)

    files = [path for path in (tmp_path / "client").rglob("*") if path.is_file()]
    names = {path.relative_to(tmp_path / "client").as_posix() for path in files}
    assert {original_name(name) for name in names} == {
        "keys.log",
        "KEYS.log",
        "attempt-2/keys.log",
        "Sub/x",
        "sub/x",
        "a\\b",
        '":<>|*?',
        "line\r\nfeed",
        "\udcff",
        ".hidden",
        "0" * 200,
        f"{'d' * 200}/x",
    }
    assert not any(set(name) & set('\\":<>|*?\r\n') or name.startswith(".") or not name.isascii() for name in names)
    assert len({name.lower() for name in names}) == len(names)
    assert {"attempt-2/keys.log", "a%5Cb", "%2Ehidden"} <= names
