"""One row of `versions.yaml`: reading and checking it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, get_args

from ci.config.expression import RESERVED
from ci.model import (
    LOCAL_LANGUAGES,
    MUXERS,
    SECURE_CHANNELS,
    STANDALONE,
    TRANSPORTS,
    BuildRecipe,
    Contract,
    ImageSource,
    Part,
    PublishedImage,
    Suites,
    Transport,
    Version,
)
from ci.util.suggest import did_you_mean, shown

if TYPE_CHECKING:
    from ci.config.yaml_source import Node, Place, Problems

__all__ = [
    "KEYS",
    "MAXIMUM_TIMEOUT_SECONDS",
    "OWNER",
    "PLAIN",
    "URL",
    "Row",
    "is_plain",
    "name_defect",
    "read_row",
]

MAXIMUM_TIMEOUT_SECONDS: Final = 3600
PLAIN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_LONGEST_FOLDER: Final = 255

KEYS: Final = (
    "id",
    "family",
    "build",
    "imageFile",
    "image",
    "transports",
    "dialOnly",
    "secureChannels",
    "muxers",
    "contract",
    "timeoutSecs",
    "owner",
    "local",
    "suites",
    "role",
    "url",
)

# The grammar of image references as the distribution project documents it, with a tag or a digest required:
# a bare name would mean another image tomorrow.
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_HOST: Final = r"(?:(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:))(?::[0-9]{1,5})?/)?"
_REPOSITORY: Final = re.compile(rf"{_HOST}{_COMPONENT}(?:/{_COMPONENT})*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")

URL: Final = r"https?://[^\s/]+\S*"
OWNER: Final = r"@?[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)?"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What could be read of a row; `version` is None where something essential is wrong."""

    id: str | None
    id_place: Place
    family: str | None
    version: Version | None


def is_plain(name: str) -> bool:
    """Whether `name` may be an id, a family or an alias.

    These become parts of case names, paths, labels and command lines, and must need no quoting in any.
    """
    return re.fullmatch(PLAIN, name) is not None


def _outside(checkout: Path, *paths: Path) -> str | None:
    """The first of these paths that links lead out of the checkout, where no commit says what there is to be run."""
    root = checkout.resolve()
    found = next((it for it in paths if root not in it.resolve().parents), None)
    return None if found is None else found.relative_to(checkout).as_posix()


def name_defect(name: str, suites: Suites) -> str | None:
    """Why `name` may not be an id or a family, as the rest of a sentence that begins with it; None where it may."""
    if not is_plain(name):
        advice = " (` x ` stands between the two versions of a case)" if " x " in name else ""
        return f": use letters, digits, `.`, `_` and `-`{advice}"
    words = (word for suite in suites.values() for param in suite.params for word in param.words)
    if name in (*words, *suites, *RESERVED):
        return " is a word that selections need for something else"
    return None


def read_row(node: Node, checkout: Path, suites: Suites, problems: Problems) -> Row:
    """Read one row, noting every mistake in it.

    :param checkout: what build folders are relative to
    :param suites: those there are
    """
    entries = node.entries("a version", problems, KEYS) or {}
    reader = _RowReader(node=node, entries=entries, known_suites=suites, problems=problems)
    identifier = reader.name("id")
    family = reader.name("family")
    source = reader.source(checkout)
    taking_part = reader.suites()
    transports = reader.transports() if reader.has_key("transports", taking_part) else ()
    secure_channels = reader.words("secureChannels", SECURE_CHANNELS, "secure channel")
    muxers = reader.words("muxers", MUXERS, "muxer")
    if reader.has_key("muxers", taking_part):
        reader.check_layers(transports)
    reader.check_suites(taking_part)
    contract = reader.contract()
    seconds = reader.timeout_seconds()
    owner = reader.owner()
    local = reader.local()
    version = None
    if identifier is not None and family is not None and source is not None:
        version = Version(
            id=identifier,
            family=family,
            source=source,
            transports=transports,
            secure_channels=secure_channels,
            muxers=muxers,
            contract=contract,
            timeout_seconds=seconds,
            owner=owner,
            local=local,
            suites=taking_part,
            part=reader.part(),
            url=reader.url(),
        )
    place = entries["id"].place if "id" in entries else node.place
    return Row(id=identifier, id_place=place, family=family, version=version)


@dataclass(frozen=True, kw_only=True)
class _RowReader:
    node: Node
    entries: dict[str, Node]
    known_suites: Suites
    problems: Problems

    def name(self, key: str) -> str | None:
        node = self._required(key)
        name = node.word(f"`{key}`", self.problems) if node is not None else None
        if node is None or name is None:
            return None
        defect = name_defect(name, self.known_suites)
        if defect is not None:
            self.problems.add(node.place, f"{key} `{shown(name)}`{defect}")
            return None
        return name

    def source(self, checkout: Path) -> ImageSource | None:
        build, image, file = (self.entries.get(key) for key in ("build", "image", "imageFile"))
        if build is not None and image is not None:
            self.problems.add(image.place, "`build` and `image` exclude each other: keep one")
        if build is None and image is None:
            self._missing("`build` (a folder) or `image` (a published reference)")
        if file is not None and build is None:
            self.problems.add(file.place, "`imageFile` belongs to `build`: without it there is no such file")
        if build is not None:
            folder = self._build_folder(build, checkout)
            image_file = "image.json" if file is None else self._image_file(file)
            if folder is not None and image_file is not None:
                return BuildRecipe(folder=folder, image_file=image_file)
        elif image is not None:
            reference = image.word("`image`", self.problems)
            if reference is not None and self._check_reference(image.place, reference):
                return PublishedImage(reference=reference)
        return None

    def _build_folder(self, node: Node, checkout: Path) -> str | None:
        folder = node.word("`build`", self.problems)
        if folder is None:
            return None
        path = PurePosixPath(folder)
        if not all(map(is_plain, path.parts)) or len(folder) > _LONGEST_FOLDER:  # `/` and `..` are not plain
            self.problems.add(node.place, f"`{shown(folder)}` must be a folder inside the checkout")
        elif not (checkout / path).is_dir():
            families = checkout.glob("impls/*/*/Makefile")
            known = [found.parent.relative_to(checkout).as_posix() for found in families]
            near = did_you_mean(folder, known)
            self.problems.add(node.place, f"there is no folder `{shown(folder)}` in the checkout{near}")
        elif not (checkout / path / "Makefile").is_file():
            self.problems.add(node.place, f"folder `{shown(folder)}` has no Makefile, so nothing builds it")
        elif (outside := _outside(checkout, checkout / path, checkout / path / "Makefile")) is not None:
            self.problems.add(
                node.place, f"`{shown(folder)}` must be a folder inside the checkout: {shown(outside)} links out of it"
            )
        else:
            return path.as_posix()
        return None

    def _image_file(self, node: Node) -> str | None:
        name = node.word("`imageFile`", self.problems)
        if name is None:
            return None
        if is_plain(name) and name.endswith("image.json"):
            return name
        # Other names would not be git-ignored, and so would change the content key of their own folder.
        self.problems.add(node.place, f"imageFile `{shown(name)}` must be a bare name ending in `image.json`")
        return None

    def _check_reference(self, place: Place, reference: str) -> bool:
        if _DIGEST.fullmatch(reference):  # the id of an image this engine already has
            return True
        rest, at, digest = reference.partition("@")
        name, colon, tag = rest.rpartition(":")
        if not colon or "/" in tag:  # the colon of a port
            name, colon, tag = rest, "", ""
        if not _REPOSITORY.fullmatch(name):
            text = f"image `{shown(reference)}`: `{shown(name)}` is not a repository name"
            text += ": upper case is not allowed" if name != name.lower() else ""
        elif colon and not _TAG.fullmatch(tag):
            text = f"image `{shown(reference)}`: `{shown(tag)}` is not a tag"
        elif at and not _DIGEST.fullmatch(digest):
            text = f"image `{shown(reference)}`: after `@` stands `sha256:` and 64 hexadecimal digits"
        elif not colon and not at:
            text = f"image `{shown(reference)}` names no tag and no digest, so it may change any day: add one"
        else:
            return True
        self.problems.add(place, text)
        return False

    def transports(self) -> tuple[Transport, ...]:
        node = self._required("transports")
        names = self.words("transports", TRANSPORTS, "transport") if node is not None else ()
        dial_only = self.words("dialOnly", TRANSPORTS, "transport", among=names)
        return tuple(Transport(name=name, dial_only=name in dial_only) for name in names)

    def words(
        self, key: str, known: Sequence[str], what: str, *, among: Sequence[str] | None = None
    ) -> tuple[str, ...]:
        """A list of different words out of `known` (and, where given, `among` the transports listed)."""
        node = self.entries.get(key)
        items = node.items(f"`{key}`", self.problems) if node is not None else ()
        if node is not None and items is not None and not items:
            self.problems.add(node.place, f"`{key}` lists nothing: fill it or leave it out")
        words: list[str] = []
        for item in items or ():
            if item.kind == "a mapping" and key == "transports":
                self.problems.add(
                    item.place,
                    "a transport is one word: write the name here and list it under `dialOnly` too",
                )
                continue
            word = item.word(f"a {what}", self.problems)
            if word is None:
                continue
            if word not in known:
                self.problems.add(item.place, f"unknown {what} `{shown(word)}`{did_you_mean(word, known)}")
            elif word in words:
                self.problems.add(item.place, f"{what} `{word}` is listed twice: keep one")
            elif among is not None and word not in among:
                self.problems.add(item.place, f"`{word}` is marked dial-only and not listed under `transports`")
            else:
                words.append(word)
        return tuple(words)

    def check_layers(self, transports: Sequence[Transport]) -> None:
        """Secure channels and muxers come together, with layered transports, and never without."""
        layered = [transport.name for transport in transports if transport.name not in STANDALONE]
        secure, muxers = self.entries.get("secureChannels"), self.entries.get("muxers")
        given = secure or muxers
        if layered and given is None:
            self._missing(f"`secureChannels` and `muxers`, which {layered[0]} needs")
        elif transports and not layered and given is not None:
            key = "secureChannels" if secure else "muxers"
            self.problems.add(
                given.place, f"`{key}` has no use here: every transport listed brings its own, leave it out"
            )
        elif secure is not None and muxers is None:
            self.problems.add(secure.place, "`secureChannels` without `muxers`: give both")
        elif muxers is not None and secure is None:
            self.problems.add(muxers.place, "`muxers` without `secureChannels`: give both")

    def contract(self) -> Contract:
        node = self.entries.get("contract")
        word = node.word("`contract`", self.problems) if node is not None else None
        known = [contract.value for contract in Contract]
        if node is None or word is None:
            return Contract.CLASSIC
        if word not in known:
            near = did_you_mean(word, known) or f": it is {' or '.join(known)}"
            self.problems.add(node.place, f"unknown contract `{shown(word)}`{near}")
            return Contract.CLASSIC
        return Contract(word)

    def timeout_seconds(self) -> int | None:
        node = self.entries.get("timeoutSecs")
        if node is None:
            return None
        return node.whole_number("`timeoutSecs`", self.problems, maximum=MAXIMUM_TIMEOUT_SECONDS)

    def owner(self) -> str | None:
        node = self.entries.get("owner")
        owner = node.word("`owner`", self.problems) if node is not None else None
        if node is not None and owner is not None and not re.fullmatch(OWNER, owner):
            self.problems.add(node.place, f"owner `{shown(owner)}` must be a GitHub name or `name/repository`")
            return None
        return owner

    def local(self) -> str | None:
        node = self.entries.get("local")
        word = node.word("`local`", self.problems) if node is not None else None
        if node is None or word is None:
            return None
        if "build" not in self.entries:
            self.problems.add(node.place, "`local` belongs to `build`: without sources there is nothing to run here")
            return None
        if word not in LOCAL_LANGUAGES:
            near = did_you_mean(word, LOCAL_LANGUAGES) or f": it is one of {', '.join(LOCAL_LANGUAGES)}"
            self.problems.add(node.place, f"unknown local language `{shown(word)}`{near}")
            return None
        return word

    def suites(self) -> tuple[str, ...]:
        words = self.words("suites", tuple(self.known_suites), "suite")
        implied = tuple(name for name, suite in self.known_suites.items() if suite.implied)
        return tuple(suite for suite in self.known_suites if suite in words) or implied

    def has_key(self, key: str, suites: Sequence[str]) -> bool:
        """Whether versions of these suites have this key, which not those of all have."""
        return any(key in self.known_suites[name].row_keys for name in suites)

    def check_suites(self, suites: Sequence[str]) -> None:
        """A version belongs to suites of one contract, and has no key of another one's."""
        contracts = {self.known_suites[name].contract for name in suites}
        if len(contracts) > 1:
            of = " or ".join(name for name, suite in self.known_suites.items() if suite.implied)
            self.problems.add(
                self.entries["suites"].place,
                f"no image follows two contracts: give the version of the {of} suite a row of its own",
            )
            return
        of_key: dict[str, list[str]] = {}
        for name, suite in self.known_suites.items():
            for key in suite.row_keys:
                of_key.setdefault(key, []).append(name)
        for key, names in of_key.items():
            if key in self.entries and not self.has_key(key, suites):
                self.problems.add(
                    self.entries[key].place, f"`{key}` belongs to versions of the suite {' or '.join(names)}"
                )

    def part(self) -> Part:
        node = self.entries.get("role")
        word = node.word("`role`", self.problems) if node is not None else None
        known: tuple[Part, ...] = get_args(Part)
        if node is not None and word is not None and word not in known:
            near = did_you_mean(word, known) or f": it is one of {', '.join(known)}"
            self.problems.add(node.place, f"unknown role `{shown(word)}`{near}")
        return next((part for part in known if part == word), "both")

    def url(self) -> str | None:
        node = self.entries.get("url")
        url = node.word("`url`", self.problems) if node is not None else None
        if node is not None and url is not None and not re.fullmatch(URL, url):
            self.problems.add(node.place, f"url `{shown(url)}` must begin with https://")
            return None
        return url

    def _required(self, key: str) -> Node | None:
        node = self.entries.get(key)
        if node is None:
            self._missing(f"`{key}`")
        return node

    def _missing(self, what: str) -> None:
        if self.node.kind == "a mapping":  # anything else is already noted as no row at all
            self.problems.add(self.node.place, f"the version lacks {what}")
