"""Servers that images can be kept on, as their own programs: nginx, Debian's docker-registry, moto's S3."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from requests_aws4auth import AWS4Auth

__all__ = ["docker_registry", "free_port", "nginx", "s3_server"]

BUCKET = "images"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _program(name: str) -> str:
    found = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    if found is None:
        why = f"there is no {name} here"
        if os.environ.get("INTEROP_REQUIRE_DOCKER"):
            pytest.fail(why)
        pytest.skip(why)
    return found


@contextmanager
def _served(words: Sequence[str], url: str, log: Path, *, stop: Callable[[], None] | None = None) -> Iterator[str]:
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while True:
            try:
                requests.get(url, timeout=5)
                break
            except requests.RequestException:
                if process.poll() is not None or time.monotonic() > until:
                    pytest.fail(f"{words[0]} did not start: {log.read_text()}")
                time.sleep(0.05)
        yield url
    finally:
        if stop is not None:
            stop()
        process.terminate()
        process.wait(30)


@contextmanager
def nginx(folder: Path, *, writable: bool) -> Iterator[str]:
    """Address of a folder `files` below `folder`."""
    port = free_port()
    files = folder / "files"
    files.mkdir(exist_ok=True)
    for name in ("body", "temp"):
        (folder / name).mkdir(exist_ok=True)
    temporary = "".join(f"  {kind}_temp_path {folder}/temp;\n" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(f"""
daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
{temporary}
  client_max_body_size 0;
  server {{
    listen 127.0.0.1:{port};
    root {files};
    {"dav_methods PUT;" if writable else ""}
  }}
}}
""")
    words = [_program("nginx"), "-c", str(folder / "nginx.conf")]
    with _served(words, f"http://127.0.0.1:{port}", folder / "nginx.log") as url:
        yield url


@contextmanager
def docker_registry(folder: Path) -> Iterator[str]:
    """`HOST:PORT` of a registry that lets everybody write."""
    port = free_port()
    (folder / "registry.yml").write_text(f"""
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {folder}/registry}}
http: {{addr: "127.0.0.1:{port}"}}
""")
    words = [_program("docker-registry"), "serve", str(folder / "registry.yml")]
    with _served(words, f"http://127.0.0.1:{port}/v2/", folder / "registry.log"):
        yield f"127.0.0.1:{port}"


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """Address of an S3 service with the bucket `images` in it, which everybody may read."""
    port = free_port()
    words = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _served(words, f"http://127.0.0.1:{port}", folder / "moto.log") as url:
        owner = AWS4Auth("AKIDEXAMPLE", "secret", "us-east-1", "s3")
        requests.put(f"{url}/{BUCKET}", auth=owner, timeout=30).raise_for_status()
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": ["s3:GetObject"],
                    "Resource": [f"arn:aws:s3:::{BUCKET}/*"],
                }
            ],
        }
        requests.put(f"{url}/{BUCKET}?policy", json=policy, auth=owner, timeout=30).raise_for_status()
        yield url
