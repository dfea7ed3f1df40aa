"""Running the programs that build: in an environment of their own, into a log, and never longer than we live."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from ci.errors import BuildError
from ci.images.caches.folder import Stopped
from ci.util import guarded

__all__ = ["Commands", "build_environment"]

LOG_TAIL_LINES: Final = 25
_PROBE_SECONDS: Final = 20.0
# A build gives way to the cases that run beside it.
_NICENESS: Final = 10

# Settings of the shell we were started from that would change what is built.
_FOREIGN: Final = (
    "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "CONDA_PREFIX", "PIP_TARGET", "PIP_PREFIX",
    "GOROOT", "GOBIN", "GOOS", "GOARCH", "GOWORK", "GOEXPERIMENT", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "NODE_ENV",
)  # fmt: skip
# Behind a proxy that inspects TLS, one of these says where its certificate is …
_BUNDLES_GIVEN: Final = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
# … or the host keeps it with all others in one of these …
_HOST_BUNDLES: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
# … and these tell pip, uv and Go, Node, and cargo.
_BUNDLES_READ: Final = ("PIP_CERT", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CARGO_HTTP_CAINFO")


def build_environment(given: Mapping[str, str], cache: Path) -> dict[str, str]:
    """The variables of a build: the user's (proxies, mirrors, certificates), with every cache in our folder.

    Nothing is written below HOME, which may be missing; what is configured there is heeded.
    """
    environment = {name: value for name, value in given.items() if name not in _FOREIGN}
    # npm starts `sh` by name, so a PATH without anything gets the system's own folders.
    environment["PATH"] = os.pathsep.join(part for part in (given.get("PATH"), os.defpath) if part)
    bundle = next((given[name] for name in _BUNDLES_GIVEN if given.get(name)), None) or _host_bundle()
    if bundle is not None:
        for name in _BUNDLES_READ:
            environment.setdefault(name, bundle)
    if given.get("PIP_INDEX_URL"):
        environment.setdefault("UV_DEFAULT_INDEX", given["PIP_INDEX_URL"])
    home = given.get("HOME", "")
    go_settings = Path(given.get("XDG_CONFIG_HOME") or Path(home, ".config")) / "go" / "env"
    environment.setdefault("GOENV", str(go_settings) if go_settings.is_absolute() and go_settings.exists() else "off")
    return environment | {
        "PIP_CACHE_DIR": str(cache / "pip"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_USER": "0",
        "UV_CACHE_DIR": str(cache / "uv"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "npm_config_cache": str(cache / "npm"),
        "npm_config_update_notifier": "false",
        "npm_config_fund": "false",
        "npm_config_audit": "false",
        "GOPATH": str(cache / "go"),
        "GOMODCACHE": str(cache / "go" / "pkg" / "mod"),
        "GOCACHE": str(cache / "go-build"),
    }


def _host_bundle() -> str | None:
    """What the host trusts: pip and Go go by it anyway, uv and Node would rather trust a list of their own."""
    return next((path for path in _HOST_BUNDLES if Path(path).exists()), None)


class Commands:
    """Starts programs, and ends those still running when it is stopped. Safe to use from several threads."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self._lock = threading.Lock()
        self._stopped = False
        self._running: set[subprocess.Popen[bytes]] = set()

    def answer(self, words: Sequence[str]) -> str | None:
        """What a quick question to a program prints, both streams; None where it fails or does not answer."""
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_PROBE_SECONDS,
                # What stands in the current folder, such as a go.mod, must not change the answer.
                cwd="/",
                env={**self.environment, "GOTOOLCHAIN": "local"},
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.decode(errors="replace") if done.returncode == 0 else None

    def run(
        self, words: Sequence[str], *, log: Path, folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """Run a program to its end; what it prints is appended to the log.

        :raises BuildError: it failed; the text ends with the log's last lines
        :raises Stopped: `stop` was called
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            output.write(f"$ {shlex.join(words)}\n".encode())
            output.flush()
            code = self._run(words, output, folder, {**self.environment, **(environment or {})})
        if code == 0:
            return
        if self._stopped:
            raise Stopped
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
        name = shlex.join([Path(word).name if Path(word).is_absolute() else word for word in words[:3]])
        raise BuildError(
            "local-build", "\n".join([f"`{name} …` failed (exit {code}), the log is {log}; it ends:", *tail])
        )

    def stop(self) -> None:
        """End what is running and start nothing more."""
        with self._lock:
            self._stopped = True
            running = tuple(self._running)
        # All at once: each may take its time to end.
        for process in running:
            guarded.ask(process)
        for process in running:
            guarded.end(process)

    def _run(self, words: Sequence[str], output: IO[bytes], folder: Path, environment: Mapping[str, str]) -> int:
        with self._lock:
            if self._stopped:
                raise Stopped
            process = guarded.start(words, output=output, environment=environment, folder=folder)
            self._running.add(process)
        try:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PGRP, process.pid, _NICENESS)
            return process.wait()
        finally:
            guarded.end(process)
            with self._lock:
                self._running.discard(process)
