"""How far builds have got: read from their growing logs, and shown while they run."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import pytest
from terminals import File, pseudo_terminal
from test_progress import NAME, Clock

from ci.terminal.build_progress import BuildProgress
from ci.terminal.console import Console
from ci.terminal.progress import Progress
from ci.util.build_log import BuildLog

CLASSIC = """\
DEPRECATED: The legacy builder is deprecated and will be removed in a future release.

Sending build context to Docker daemon  10.24kB
Step 1/3 : FROM interop/base:trixie
 ---> 11b75be01638
Step 2/3 : RUN echo one
 ---> Running in b8c49cbf05ad
one
Removing intermediate container b8c49cbf05ad
 ---> e9a4f64b966c
Step 3/3 : RUN echo two && printf "three\\n"
 ---> Running in 150ca35c52de
"""
BUILDKIT = """\
#1 [internal] load build definition from Dockerfile
#1 DONE 0.0s

#7 [build 2/4] RUN go mod download
#7 0.512 go: downloading golang.org/x/sys v0.30.0
"""
OURS = """\
$ /cache/toolchains/go-1/bin/go build -o /cache/app .
downloading 10 %\rdownloading 100 %\r
"""


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", ""),
        ("hello\n", "hello"),
        ("half a line", ""),
        (CLASSIC, '3/3 RUN echo two && printf "three\\n"'),
        (CLASSIC[: CLASSIC.index("Removing")], "2/3 RUN echo one: one"),
        (BUILDKIT, "build 2/4 RUN go mod download: go: downloading golang.org/x/sys v0.30.0"),
        (f"Step 4/9 : RUN {'x' * 60}\nmoves\n", f"4/9 RUN {'x' * 32}…: moves"),
        (OURS, "go build -o app .: downloading 100 %"),
        ("$ '/a b/bin/node' /cache/lib/npm-cli.js ci --x\n", "node npm-cli.js ci --x"),
        ("$ /bin/sh -c 'it\n", "/bin/sh -c 'it"),
        ("Step 1/2 : RUN \x1b[2Jx\n\x1b[31mred\x1b[0m\n", "1/2 RUN x: red"),
    ],
)
def test_a_log_tells_the_step_and_its_last_line(log: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(log.encode())
    assert BuildLog(tmp_path / "log").now() == said


def test_a_log_is_read_as_it_grows_and_from_the_start_when_it_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = BuildLog(path)
    said = [log.now()]
    for more in ("Step 1/2 : RUN a\nfir", "st\n", "x" * 10**6 + "\nlast\n", "no end"):
        with path.open("a") as stream:
            stream.write(more)
        said.append(log.now())
    path.write_text("$ npm ci\n")
    assert [*said, log.now()] == ["", "1/2 RUN a", "1/2 RUN a: first", "1/2 RUN a: last", "1/2 RUN a: last", "npm ci"]


def test_elsewhere_a_build_is_told_once(tmp_path: Path) -> None:
    file = File()
    with BuildProgress(file.console) as progress, progress.building("go-v0.51", tmp_path / "build.log"):
        pass
    assert file.text == f"building go-v0.51, log: {tmp_path}/build.log\n"


def test_on_a_terminal_each_build_has_a_line(tmp_path: Path) -> None:
    (tmp_path / "go.log").write_text("Step 5/12 : RUN go build\nlinking\n")
    clock = Clock()
    with pseudo_terminal() as (stream, screen):
        console = Console.for_stream(stream, {"TERM": "xterm", "COLUMNS": "200", "LINES": "40", "NO_COLOR": "1"})
        with Progress(console, 3, 1, clock=clock) as progress:
            progress.awaits([Future(), Future()])
            with progress.building("go-v0.51", tmp_path / "go.log"), progress.building("js", tmp_path / "none.log"):
                clock.now += 240
                assert progress._live is not None
                progress._live.refresh()
    assert "building go-v0.51" in screen.text
    assert "5/12 RUN go build: linking" in screen.text
    assert f"4 min  log: {tmp_path}/go.log" in screen.text
    assert "begins" in screen.text
    assert "waits for an image" in screen.text
    assert "2 images to come" in screen.text


def test_time_spent_waiting_for_images_is_not_the_pace_of_cases() -> None:
    file, clock = File(), Clock()
    image: Future[object] = Future()
    with Progress(file.console, 11, 1, clock=clock) as progress:
        progress.awaits([image])
        clock.now += 780  # thirteen minutes of building
        progress.started(0, NAME)
        clock.now += 2
        progress.finished(0, NAME, "passed", 2)
        image.set_result(object())
        progress.started(0, NAME)
        clock.now += 2
        progress.finished(0, NAME, "passed", 2)
    assert file.text.splitlines() == [
        f"[ 1/11] passed        2.0 s  eta 20 s + 1 image  {NAME}",
        f"[ 2/11] passed        2.0 s  eta 18 s    {NAME}",
    ]
