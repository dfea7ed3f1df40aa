"""`init`: what it makes, what it adds to versions.yaml, and what it refuses."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import NEEDS_MAKE

from ci.__main__ import command_line, main
from ci.commands.check_image import image_named
from ci.config.catalogue import load
from ci.config.skeleton import natural_key
from ci.errors import ConfigurationError
from ci.model import BuildRecipe, Contract
from ci.suites.registry import known_suites

CHECKOUT = Path(__file__).parents[2]
SKELETON = CHECKOUT / "ci" / "data" / "skeleton"

VERSIONS = """\
# what is tested
schema: 1

aliases:
  quick: go-v0.9   # the one

versions:
  - id: go-v0.9
    family: go
    build: impls/go/v0.9
    transports: [tcp]
    secureChannels: [noise]
    muxers: [yamux]
  # the newest
  - id: "go-v0.10"          # ten is more than nine
    family: go
    build: "impls/go/v0.10"
    # found by trying
    transports: [tcp,  quic-v1]
    secureChannels:
      - noise
    muxers: [ yamux ]       # mplex is gone
    owner: libp2p/go-libp2p
  - id: wasm-go-v0.10
    family: wasm-go
    build: impls/go/v0.10
    imageFile: wasm-image.json
    transports: [webrtc-direct]

  # made by others
  - {id: nim-v1, family: nim, image: "example.org/nim:1", transports: [quic-v1]}
"""
FLAT = VERSIONS[: VERSIONS.index("\n  # made by others")]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_checkout(tmp_path)


def make_checkout(folder: Path, versions: str = FLAT) -> Path:
    for version in ("v0.9", "v0.10"):
        own = folder / "impls" / "go" / version
        own.mkdir(parents=True)
        (own / "Makefile").write_text("include ../../image.mk\n", encoding="utf-8")
        (own / "go.mod").write_text(f"require go-libp2p {version}\n", encoding="utf-8")
        (own / "main.go").symlink_to("../main.go")
    (folder / "impls" / "go" / "main.go").write_text("package main\n", encoding="utf-8")
    shutil.copy(CHECKOUT / "impls" / "image.mk", folder / "impls")
    (folder / "versions.yaml").write_bytes(versions.encode())
    return folder


def contents(folder: Path) -> dict[str, str]:
    """Everything below a folder: links by where they lead, files by what they hold."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = "folder" if path.is_dir() else path.read_bytes().decode()
    return found


def init(*words: str) -> int:
    return main(["init", *words])


# --- a new family -----------------------------------------------------------------------------------------


def test_a_new_family_has_its_sources_once_and_links_to_them(checkout: Path) -> None:
    assert init("zig-p2p") == 0

    made = contents(checkout / "impls" / "zig-p2p")
    shared = ("Dockerfile", "app.py", "ping.py")
    own = ("Makefile", "requirements.in", "requirements.txt")
    assert set(made) == {"v1.0", *shared, *(f"v1.0/{name}" for name in (*shared, *own))}
    for name in shared:
        assert made[name] == (SKELETON / name).read_text(encoding="utf-8")
        assert made[f"v1.0/{name}"] == f"-> ../{name}"
        assert (checkout / "impls/zig-p2p/v1.0" / name).read_text(encoding="utf-8") == made[name]
    for name in own:
        assert made[f"v1.0/{name}"] == (SKELETON / "version" / name).read_text(encoding="utf-8")


def test_without_write_the_row_is_printed_as_it_may_be_pasted(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (checkout / "versions.yaml").read_bytes()
    assert init("zig-p2p", "--version", "v0.3") == 0

    assert (checkout / "versions.yaml").read_bytes() == before
    said = capsys.readouterr().out
    row = said[said.index("  - id:") : said.index("\n\nnext:")]
    (checkout / "versions.yaml").write_bytes(before + row.encode())
    version = load(checkout / "versions.yaml", known_suites()).by_id()["zig-p2p-v0.3"]
    assert version.source == BuildRecipe(folder="impls/zig-p2p/v0.3")
    assert (version.family, version.contract) == ("zig-p2p", Contract.UNIFIED)
    for command in (
        "make -C impls/zig-p2p/v0.3 lock",
        "make -C impls/zig-p2p/v0.3\n",
        "nox -s check-image -- impls/zig-p2p/v0.3/image.json --transport tcp --security noise --muxer yamux",
        "nox -s interop -- --select 'version:zig-p2p-v0.3'",
    ):
        assert command in said


@pytest.mark.usefixtures("checkout")
def test_a_family_called_like_another_one_is_made_and_wondered_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert init("gogo") == 0
    assert "was `go` meant?" in capsys.readouterr().out

    assert init("erlang") == 0
    assert "meant?" not in capsys.readouterr().out


def test_another_folder_finds_the_build_rules(checkout: Path) -> None:
    assert init("zig", "--folder", "trials/young", "--write") == 0

    makefile = checkout / "trials/young/zig/v1.0/Makefile"
    rules = makefile.read_text(encoding="utf-8").splitlines()[0].removeprefix("RULES := ")
    assert (makefile.parent / rules).resolve() == checkout / "impls" / "image.mk"
    assert load(checkout / "versions.yaml", known_suites()).by_id()["zig-v1.0"].source == BuildRecipe(
        folder="trials/young/zig/v1.0"
    )


def test_a_family_others_publish_gets_its_first_version_here(checkout: Path) -> None:
    with (checkout / "versions.yaml").open("a", encoding="utf-8") as file:
        file.write(
            "  - id: nim-v1\n    family: nim\n    image: example.org/nim:1\n    transports: [quic-v1]\n"
            "  - id: last-v1\n    family: last\n    image: example.org/last:1\n    transports: [quic-v1]\n"
        )
    assert init("nim", "--version", "v2", "--write") == 0

    ids = [version.id for version in load(checkout / "versions.yaml", known_suites()).versions]
    assert ids[-3:] == ["nim-v1", "nim-v2", "last-v1"]
    assert (checkout / "impls/nim/ping.py").is_file()


# --- a new version ----------------------------------------------------------------------------------------


def test_a_new_version_is_the_newest_again_without_what_builds_left(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newest = checkout / "impls/go/v0.10"
    for product in ("image.json", "wasm-image.json", "build.log", "target/x", "node_modules/y"):
        (newest / product).parent.mkdir(exist_ok=True)
        (newest / product).write_text("old", encoding="utf-8")
    assert init("go", "--version", "v0.11") == 0

    assert contents(checkout / "impls/go/v0.11") == {
        "Makefile": "include ../../image.mk\n",
        "go.mod": "require go-libp2p v0.10\n",
        "main.go": "-> ../main.go",
    }
    said = capsys.readouterr().out
    assert "made impls/go/v0.11 after impls/go/v0.10" in said
    assert "name the new release in go.mod\n" in said  # there is no `lock` in that Makefile
    assert "nox -s check-image -- impls/go/v0.11/image.json\n" in said
    assert "nox -s check-image -- impls/go/v0.11/wasm-image.json\n" in said


def test_its_rows_are_written_like_those_they_follow(checkout: Path) -> None:
    assert init("go", "--version", "v0.11", "--write") == 0

    assert (checkout / "versions.yaml").read_text(encoding="utf-8") == FLAT.replace(
        "    owner: libp2p/go-libp2p\n",
        "    owner: libp2p/go-libp2p\n"
        "\n"
        "  - id: go-v0.11          # ten is more than nine\n"
        "    family: go\n"
        "    build: impls/go/v0.11\n"
        "    # found by trying\n"
        "    transports: [tcp,  quic-v1]\n"
        "    secureChannels:\n"
        "      - noise\n"
        "    muxers: [ yamux ]       # mplex is gone\n"
        "    owner: libp2p/go-libp2p\n",
    ) + (
        "\n"
        "  - id: wasm-go-v0.11\n"
        "    family: wasm-go\n"
        "    build: impls/go/v0.11\n"
        "    imageFile: wasm-image.json\n"
        "    transports: [webrtc-direct]\n"
    )


def test_a_family_that_builds_in_another_s_folder_is_followed_there(checkout: Path) -> None:
    assert init("wasm-go", "--version", "v0.11", "--write") == 0

    assert (checkout / "impls/go/v0.11/go.mod").is_file()
    assert not (checkout / "impls/wasm-go").exists()
    assert {"go-v0.11", "wasm-go-v0.11"} <= set(load(checkout / "versions.yaml", known_suites()).by_id())


def test_a_family_without_rows_is_there_all_the_same(checkout: Path) -> None:
    assert init("zig") == 0
    assert init("zig", "--version", "v1.1", "--write") == 0

    zig = contents(checkout / "impls/zig")
    first, second = (
        {name.removeprefix(version): text for name, text in zig.items() if name.startswith(version)}
        for version in ("v1.0", "v1.1")
    )
    assert first == second
    assert load(checkout / "versions.yaml", known_suites()).by_id()["zig-v1.1"].source == BuildRecipe(
        folder="impls/zig/v1.1"
    )


@given(st.lists(st.integers(min_value=0, max_value=10**6), min_size=2, max_size=2, unique=True), st.booleans())
def test_numbers_in_versions_count_as_numbers(numbers: list[int], minor: bool) -> None:
    names = [f"v1.{number}" if minor else f"v{number}.0" for number in numbers]
    assert (natural_key(names[0]) < natural_key(names[1])) == (numbers[0] < numbers[1])


# --- refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["go"], "the family `go` is here already: go-v0.9, go-v0.10"),
        (["go", "--version", "v0.10"], "versions.yaml has a version `go-v0.10` already"),
        (["go", "--version", "0.11"], "do this: --version v0.11"),
        (["go", "--version", "v1/../../x"], "version `v1/../../x`: it begins with `v`"),
        (["go", "--version", ""], "it begins with `v`"),
        (["zig", "--version", ""], "it begins with `v`"),
        (["zig", "--version", "v" + "1" * 61], "use letters, digits"),
        (["GO"], "differs from `go` by upper and lower case only"),
        (["../zig"], "family `../zig`: use letters, digits"),
        (["a b"], "family `a b`: use letters, digits"),
        ([""], "family ``: use letters, digits"),
        (["\x1b[31m"], r"family `\x1b[31m`: use letters"),
        (["go-v0.11"], "do this: nox -s init -- go --version v0.11"),
        (["zig-p2p-v2"], "family `zig-p2p-v2` is named like a version"),
        (["v1.0"], "do this: nox -s init -- NAME --version v1.0"),
        (["tcp"], "family `tcp` is a word that selections need"),
        (["not"], "family `not` is a word that selections need"),
        (["quick"], "family `quick` is an alias"),
        (["zig", "--folder", ".."], "cannot hold a build folder"),
        (["zig", "--folder", "/"], "cannot hold a build folder"),
        (["zig", "--folder", "a b"], "cannot hold a build folder"),
        (["zig", "--folder", "versions.yaml"], "versions.yaml/zig: "),
        (["zig", "--versions", "none.yaml"], "cannot read none.yaml"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_touched(
    checkout: Path, capsys: pytest.CaptureFixture[str], words: Sequence[str], reason: str
) -> None:
    before = contents(checkout)

    assert init(*words) == 2

    said = capsys.readouterr().out
    assert reason in said
    assert "\n  why: " in said
    assert "\n  do this: " in said
    assert contents(checkout) == before


def test_an_endpoint_s_first_version_is_not_begun_with_the_other_suite_s_program(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (checkout / "versions.yaml").open("a", encoding="utf-8") as file:
        file.write("  - id: kwik-v1\n    family: kwik\n    image: example.org/kwik:1\n    suites: [quic]\n")
    before = contents(checkout)

    assert init("kwik", "--version", "v2") == 2
    assert "`kwik` plays quic, and the skeleton is a program of the suite transport" in capsys.readouterr().out
    assert contents(checkout) == before


def test_a_folder_without_a_version_is_no_start(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "impls/zig").mkdir()

    assert init("zig", "--version", "v1.0") == 2
    assert "is there and holds no version" in capsys.readouterr().out


@pytest.mark.parametrize("leftover", ["folder", "file", "dangling link"])
def test_what_stands_in_the_place_is_not_overwritten(
    checkout: Path, capsys: pytest.CaptureFixture[str], leftover: str
) -> None:
    place = checkout / "impls/go/v0.11"
    if leftover == "folder":
        place.mkdir()
    elif leftover == "file":
        place.write_text("mine", encoding="utf-8")
    else:
        place.symlink_to("nowhere")
    before = contents(checkout)

    assert init("go", "--version", "v0.11", "--write") == 2
    assert "is there already" in capsys.readouterr().out
    assert contents(checkout) == before


def test_outside_of_a_checkout_it_says_so(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "impls/image.mk").unlink()

    assert init("zig") == 2
    assert "holds no impls/image.mk" in capsys.readouterr().out


def test_a_list_in_brackets_is_left_alone_and_the_folder_taken_back(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / "versions.yaml").write_text(VERSIONS, encoding="utf-8")
    before = contents(checkout)

    assert init("zig", "--folder", "trials", "--write") == 2
    assert "the list is written in brackets" in capsys.readouterr().out
    assert contents(checkout) == before
    assert init("zig") == 0


def test_a_row_stands_before_the_end_of_the_document(checkout: Path) -> None:
    (checkout / "versions.yaml").write_text(FLAT + "...\n# the end\n", encoding="utf-8")

    assert init("zig", "--write") == 0
    assert load(checkout / "versions.yaml", known_suites()).versions[-1].id == "zig-v1.0"


# --- the steps after it -----------------------------------------------------------------------------------


def test_check_image_says_how_to_build_what_is_not_built(tmp_path: Path) -> None:
    folder = tmp_path / "a family" / "v1"
    folder.mkdir(parents=True)
    (folder / "Makefile").touch()
    for name in (folder, folder / "image.json", folder / "wasm-image.json"):
        with pytest.raises(ConfigurationError) as caught:
            image_named(str(name))
        assert caught.value.hint == f"make -C '{folder}', then the same command again"
    (folder / "image.json").write_text('{"imageID": "sha256:0a"}\n', encoding="utf-8")
    assert image_named(str(folder)) == "sha256:0a"


def test_check_image_takes_the_file_that_make_wrote(tmp_path: Path) -> None:
    file = tmp_path / "image.json"
    file.write_text('{"imageID": "sha256:0a"}\n', encoding="utf-8")

    assert image_named(str(file)) == "sha256:0a"
    assert image_named("example.org/image.json") == "example.org/image.json"
    assert image_named("app:latest") == "app:latest"


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '"sha256:0a"', "\x00"])
def test_an_image_file_without_an_image_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "image.json"
    file.write_text(content, encoding="utf-8")

    with pytest.raises(ConfigurationError, match="holds no `imageID`"):
        image_named(str(file))


def test_the_document_shows_the_program_that_was_tried() -> None:
    """docs/adding-an-implementation.md: its printed outputs are of this very file."""
    document = (CHECKOUT / "docs" / "adding-an-implementation.md").read_text(encoding="utf-8")
    program = (CHECKOUT / "tests" / "data" / "init" / "py_libp2p.py").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```python\n(.*?)```", document, re.DOTALL)

    assert shown == program


@NEEDS_MAKE
def test_lock_in_the_checkout_s_root_passes_over_versions_that_lock_nothing() -> None:
    done = subprocess.run(["make", "-n", "lock"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    gone_into = set(re.findall(r"impls/(\w[\w-]*/v[\w.]+)'", done.stdout))
    assert {"aioquic/v1.7", "py/v0.8", "webtransport-go/v0.13"} <= gone_into
    assert not {"caddy/v2.6", "chromium/v156"} & gone_into


@NEEDS_MAKE
@pytest.mark.parametrize(
    ("words", "suites", "role"),
    [
        (("aioquic", "--version", "v99"), {"quic", "webtransport"}, None),
        (("caddy", "--version", "v99"), {"quic"}, "server"),
        (("chromium", "--version", "v99"), {"webtransport"}, "client"),
        (("go", "--version", "v99"), {"transport"}, None),
        (("js", "--version", "v99"), {"transport"}, None),
        (("zig",), {"transport"}, None),
    ],
)
def test_the_commands_it_prints_are_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], suites: set[str], role: str | None
) -> None:
    """As they stand there, in a copy of this checkout: understood, and about the version that was made."""
    shutil.copytree(CHECKOUT / "impls", tmp_path / "impls", symlinks=True)
    versions = ("--versions", str(shutil.copy(CHECKOUT / "versions.yaml", tmp_path)))
    assert init(*words, "--write", *versions) == 0
    lines = re.findall(r"(?m)(?:then: |\d\. )((?:make|nox) .*)$", capsys.readouterr().out)

    commands = [shlex.split(line) for line in lines]
    tried = [it[4:] for it in commands if it[:4] == ["nox", "-s", "check-image", "--"]]
    met = [it[4:] for it in commands if it[:4] == ["nox", "-s", "interop", "--"]]
    for arguments in (command_line().parse_args(["check-image", *it]) for it in tried):
        assert arguments.role == role
        assert (tmp_path / arguments.image).with_name("Makefile").is_file()
    assert {command_line().parse_args(["check-image", *it]).suite for it in tried} == suites
    found = set()
    for it in met:
        assert main(["list", *it, *versions, "--json"]) == 0
        plan = json.loads(capsys.readouterr().out)
        assert any(case["selected"] for case in plan["cases"]), it
        found.add(plan.get("suite", "transport"))
    assert found == suites
    for _, _, folder, *target in (it for it in commands if it[0] == "make"):
        done = subprocess.run(["make", "-n", "-C", folder, *target], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_real_list_takes_a_row(tmp_path: Path) -> None:
    """Ours, as it is today: whatever people do to its layout must not keep `init --write` from working."""
    for path in (CHECKOUT / "impls").glob("*/*/Makefile"):
        folder = tmp_path / path.parent.relative_to(CHECKOUT)
        folder.mkdir(parents=True)
        (folder / "Makefile").touch()
    shutil.copy(CHECKOUT / "impls/image.mk", tmp_path / "impls")
    path = Path(shutil.copy(CHECKOUT / "versions.yaml", tmp_path))
    before = load(path, known_suites()).versions
    assert init("js", "--version", "v99", "--write", "--versions", str(path)) == 0
    assert init("zig", "--write", "--versions", str(path)) == 0

    after = load(path, known_suites()).versions
    assert {version.id for version in after} - {version.id for version in before} >= {"js-v99", "zig-v1.0"}
    assert [version for version in after if version in before] == list(before)
