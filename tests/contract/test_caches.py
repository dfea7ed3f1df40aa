"""What every image cache keeps to, on the servers they are for, and what becomes of what is wrong with one."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cache_servers import docker_registry, nginx, s3_server
from engine_fronts import engine_front
from throwaways import KEY, Throwaways, names

from ci.engines.docker.daemon import Daemon, connect
from ci.errors import EngineError
from ci.images.caches.base import CacheOutageError, ImageCache, Limits
from ci.images.caches.chain import CacheChain, Place
from ci.images.caches.registry import open_cache

pytestmark = pytest.mark.docker

KINDS = ("dir", "http", "s3", "oci")


class Kept(NamedTuple):
    """:ivar files: folder in which a cache that is made of files has them; None of others"""

    url: str
    files: Path | None


@pytest.fixture(scope="module", params=KINDS)
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    folder = tmp_path_factory.mktemp(request.param)
    with ExitStack() as stack:
        if request.param == "dir":
            yield Kept(f"dir:{folder}", folder)
        elif request.param == "http":
            yield Kept(stack.enter_context(nginx(folder, writable=True)), folder / "files")
        elif request.param == "s3":
            yield Kept(f"s3:images/below?endpoint={stack.enter_context(s3_server(folder))}", None)
        else:
            yield Kept(f"oci:{stack.enter_context(docker_registry(folder))}/below", None)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ID": "AKIDEXAMPLE", "SECRET": "secret"}.items():
        monkeypatch.setenv({"ID": "AWS_ACCESS_KEY_ID", "SECRET": "AWS_SECRET_ACCESS_KEY"}[name], value)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def opened(kept: Kept, **limits: Any) -> ImageCache:
    return open_cache(kept.url, Limits(**limits))


def test_what_is_kept_comes_back_under_its_name_alone(kept: Kept, throwaways: Throwaways) -> None:
    daemon = throwaways.daemon
    tag = throwaways.make()
    before = names(daemon)
    digest = (daemon.image(tag) or {})["Id"]
    cache = opened(kept)
    assert not cache.has(tag, daemon)
    cache.save(tag, daemon)
    assert cache.has(tag, daemon)
    assert names(daemon) == before
    daemon.forget(tag)
    assert daemon.image(tag) is None

    assert opened(kept).restore(tag, daemon)
    assert (daemon.image(tag) or {})["Id"] == digest
    assert names(daemon) == before


def test_what_is_not_kept_is_missed_without_a_word(kept: Kept, throwaways: Throwaways) -> None:
    cache = opened(kept)
    tag = f"interop/nobody-made-it-{secrets.token_hex(4)}:{KEY}"
    assert cache.restore(tag, throwaways.daemon) is False
    assert cache.has(tag, throwaways.daemon) is False


def test_several_are_kept_and_fetched_at_once(kept: Kept, throwaways: Throwaways) -> None:
    daemon, cache = throwaways.daemon, opened(kept)
    tags = [throwaways.make() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda tag: cache.save(tag, daemon), tags))
        for tag in tags:
            daemon.forget(tag)
        assert all(pool.map(lambda tag: cache.restore(tag, daemon), tags))
    assert all(daemon.image(tag) for tag in tags)


def test_two_that_keep_one_at_once_leave_one_that_is_whole(kept: Kept, throwaways: Throwaways) -> None:
    daemon, tag = throwaways.daemon, throwaways.make()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda cache: cache.save(tag, daemon), [opened(kept), opened(kept)]))
    daemon.forget(tag)
    assert opened(kept).restore(tag, daemon)


def test_what_has_turned_out_to_be_another_is_written_over(kept: Kept, throwaways: Throwaways) -> None:
    daemon, tag, cache = throwaways.daemon, throwaways.make(), opened(kept)
    cache.save(tag, daemon)
    wrong = (daemon.image(tag) or {})["Id"]
    daemon.forget(tag)
    said: list[str] = []
    chain = CacheChain([Place(cache=cache, reads=True, writes=True)], Limits(), said.append)
    assert chain.restore(tag, daemon, objection=lambda: "it is another") is None
    assert daemon.image(tag) is None
    assert said == [f"cache {cache.describe()}: {tag} could not be loaded: it is another"]

    daemon.api.import_image_from_data(b"\0" * 1024, repository=tag.rpartition(":")[0], tag=KEY)
    right = (daemon.image(tag) or {})["Id"]
    chain.save(tag, daemon)
    daemon.forget(tag)
    assert chain.restore(tag, daemon) == cache.describe()
    assert (daemon.image(tag) or {})["Id"] == right != wrong


def test_an_engine_in_trouble_costs_no_entry(kept: Kept, throwaways: Throwaways, tmp_path: Path) -> None:
    daemon, tag, cache = throwaways.daemon, throwaways.make(), opened(kept)
    cache.save(tag, daemon)
    daemon.forget(tag)
    takes = b"/images/create" if kept.url.startswith("oci:") else b"/images/load"
    with engine_front(daemon.address.host, tmp_path / "engine.sock", hangs_up_on=takes) as front:
        with closing(connect({"DOCKER_HOST": front.host})) as client, pytest.raises((EngineError, CacheOutageError)):
            cache.restore(tag, Daemon(client, run="tests"))
        assert any(takes in line for line in front.seen)
    assert cache.restore(tag, daemon)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("kept", ["dir", "http"], indirect=True)
@pytest.mark.parametrize("suffix", [".tar.zst", ".json"])
@pytest.mark.parametrize("damage", [cut, flip, lambda _: b"", lambda _: b"no archive"])
def test_what_is_damaged_never_reaches_the_engine_and_is_written_anew(
    kept: Kept, throwaways: Throwaways, damage: Callable[[bytes], bytes], suffix: str
) -> None:
    assert kept.files is not None
    daemon, tag, cache = throwaways.daemon, throwaways.make(), opened(kept)
    there = set(kept.files.iterdir())
    cache.save(tag, daemon)
    [file] = [it for it in set(kept.files.iterdir()) - there if it.name.endswith(suffix)]
    daemon.forget(tag)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(OSError, match=r"damaged|longer"):
        cache.restore(tag, daemon)
    assert daemon.image(tag) is None

    throwaways.daemon.api.import_image_from_data(b"\0" * 1024, repository=tag.rpartition(":")[0], tag=KEY)
    cache.save(tag, daemon)
    daemon.forget(tag)
    assert opened(kept).restore(tag, daemon)


@pytest.mark.parametrize("url", ["http", "s3"])
def test_who_may_not_write_is_told_once_and_reads_all_the_same(
    url: str, throwaways: Throwaways, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon, tag = throwaways.daemon, throwaways.make()
    with ExitStack() as stack:
        if url == "http":
            (tmp_path / "write").mkdir()
            place = stack.enter_context(nginx(tmp_path, writable=False))
        else:
            place = f"s3:images?endpoint={stack.enter_context(s3_server(tmp_path))}"
            open_cache(place, Limits()).save(tag, daemon)
            monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        cache = open_cache(place, Limits())
        other = throwaways.make()
        with pytest.raises(CacheOutageError, match="no credentials" if url == "s3" else "405 Not Allowed"):
            cache.save(other, daemon)
        assert cache.has(other, daemon) is False
        if url == "s3":
            daemon.forget(tag)
            assert cache.restore(tag, daemon)


def test_what_is_called_off_ends_at_once(kept: Kept, throwaways: Throwaways) -> None:
    stopped = threading.Event()
    stopped.set()
    cache = open_cache(kept.url, Limits(stopped=stopped))
    assert cache.restore(f"interop/nobody:{KEY}", throwaways.daemon) is False
