"""What a run needs before it starts: files, requests, protocols, certificates, all from one seed.

`CaseFiles` only describes; `prepare` writes it to disk. So judging a run later, or repeating it, needs the seed and
nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from ci.suites.quic.captures.packets import Sender
from ci.suites.quic.materials.certificates import PRIVATE_KEY, write_certificates
from ci.suites.quic.materials.seeded import Draw, content

__all__ = ["FOLDERS", "CaseFile", "CaseFiles", "downloads", "prepare"]

# What is mounted into the endpoints, below the folder of a run.
FOLDERS: Final = ("certs", "server_www", "client_www", "server_downloads", "client_downloads")


@dataclass(frozen=True, kw_only=True)
class CaseFile:
    """A file that one side offers and the other is to fetch.

    :param name: path below `/www` of the one and `/downloads` of the other
    :param size: in bytes
    """

    name: str
    size: int

    def content(self, seed: int) -> bytes:
        return content(seed, self.name, self.size)


@dataclass(frozen=True, kw_only=True)
class CaseFiles:
    """Everything made up for one run.

    :param sender: the side that has the files
    :param empty_folders: made below `/www` of a side although no file may come to lie there
    :param requests: the value of REQUESTS by side
    :param protocols: the value of PROTOCOLS by side
    :param protocol: what a WebTransport handshake must agree on; None where that is not asked
    :param chain_length: certificates the server shows
    """

    seed: int
    files: tuple[CaseFile, ...] = ()
    sender: Sender = "server"
    empty_folders: tuple[tuple[Sender, str], ...] = ()
    requests: Mapping[Sender, str] = field(default_factory=dict)
    protocols: Mapping[Sender, str] = field(default_factory=dict)
    protocol: str | None = None
    chain_length: int = 1

    @property
    def receiver(self) -> Sender:
        return "client" if self.sender == "server" else "server"


def downloads(seed: int, sizes: Iterable[int], *, host: str, name_length: int | None, chain_length: int) -> CaseFiles:
    """The client fetches files of these sizes over QUIC.

    :param host: the server's name in the URLs, which decides between IPv4 and IPv6
    :param name_length: of names made of random letters; slugs if None
    """
    draw = Draw(seed, "files")
    files = tuple(
        CaseFile(name=draw.slug() if name_length is None else draw.letters(name_length), size=size) for size in sizes
    )
    return CaseFiles(
        seed=seed,
        files=files,
        requests={"client": " ".join(f"https://{host}:443/{file.name}" for file in files), "server": ""},
        protocols={"client": "", "server": ""},
        chain_length=chain_length,
    )


def prepare(case_files: CaseFiles, folder: Path, *, now: datetime | None = None) -> None:
    """Write certificates and files, and make the empty folders of a run.

    :param folder: must exist and hold none of `FOLDERS`
    :param now: beginning of the certificates' validity; the present if None
    """
    for name in FOLDERS:
        (folder / name).mkdir(mode=0o700 if name == "certs" else 0o755)
    write_certificates(folder / "certs", seed=case_files.seed, length=case_files.chain_length, now=now)
    for side, name in case_files.empty_folders:
        (folder / f"{side}_www" / name).mkdir()
    for file in case_files.files:
        path = folder / f"{case_files.sender}_www" / file.name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(file.content(case_files.seed))
    # They are copied into containers as they are here, and this process's umask is no concern of a server's workers.
    for path in (it for name in FOLDERS for it in (folder / name).rglob("*") if it.name != PRIVATE_KEY):
        path.chmod(0o755 if path.is_dir() else 0o644)
