"""The JSON Schema of `versions.yaml`, from which editors complete and check rows while they are typed.

`make schemas` writes it to docs/versions.schema.json. Its words are those the reader has, and a test holds the file to
them. It says what one value may be; what rows must be to each other and to the checkout, and what was
probably meant, only the reader says (`ci.config.catalogue`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, get_args

from ci.config.row import MAXIMUM_TIMEOUT_SECONDS, PLAIN, URL
from ci.model import (
    LOCAL_LANGUAGES,
    MUXERS,
    SECURE_CHANNELS,
    STANDALONE,
    TRANSPORTS,
    Contract,
    Expected,
    Part,
    ReasonCode,
    Suites,
)

__all__ = ["versions_schema"]

_NAME: Final = {"type": "string", "pattern": f"^{PLAIN}$"}
_LAYERED: Final = [name for name in TRANSPORTS if name not in STANDALONE]


def versions_schema(suites: Suites) -> dict[str, Any]:
    """Of the whole file, and of a file with further rows (`--extra-versions`), which holds `versions` alone."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "versions.yaml",
        "description": "What is tested. docs/versions.md describes every key.",
        "type": "object",
        "additionalProperties": False,
        "required": ["versions"],
        "properties": {
            "schema": {"const": 1, "description": "format of this file"},
            "aliases": {
                "description": "names for expressions of the selection language (docs/selection.md)",
                "type": "object",
                "propertyNames": _NAME,
                "additionalProperties": {
                    "anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}]
                },
            },
            "versions": {"type": "array", "minItems": 1, "items": _row(suites)},
            "expectations": {
                "description": "what is known of cases before they run (docs/expectations.md)",
                "type": "array",
                "items": _expectation(),
            },
        },
    }


def _expectation() -> dict[str, Any]:
    day = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "select", "expect"],
        "properties": {
            "id": {**_NAME, "description": "what reports call it, unique over all files"},
            "select": {
                "description": "which cases: an expression of the selection language, or several, joined by `or`",
                "anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}],
            },
            "expect": {"enum": [it.value for it in Expected], "description": "what they will come to"},
            "reason": {"type": "string", "description": "why, in a sentence"},
            "link": {"type": "string", "pattern": f"^{URL}$", "description": "where it is discussed"},
            "since": {**day, "description": "when it was first seen, 2026-11-02"},
            "expires": {**day, "description": "from this day on somebody is to look again"},
            "owner": {"type": "string", "description": "who to ask: a GitHub name or name/repository"},
            "code": {
                "enum": [it.value for it in ReasonCode],
                "description": "red is as expected only with this reason code (docs/reasons.md)",
            },
            "matches": {
                "type": "string",
                "format": "regex",
                "description": "and only where this is found in the reason, or in what a side wrote",
            },
        },
    }


def _row(suites: Suites) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "family"],
        "properties": {
            "id": {**_NAME, "description": "its name in the matrix, unique over all files, e.g. go-v0.51"},
            "family": {**_NAME, "description": "the implementation it is a release of, e.g. go"},
            "build": {"type": "string", "description": "folder of the checkout where `make` builds the image"},
            "image": {"type": "string", "description": "reference of a published image, with a tag or a digest"},
            "imageFile": {
                **_NAME,
                "description": "with `build`: the file that `make` writes for this version (default: image.json)",
            },
            "transports": {**_words(TRANSPORTS), "description": "what it speaks"},
            "dialOnly": {**_words(TRANSPORTS), "description": "of its transports, those it cannot listen on"},
            "secureChannels": {**_words(SECURE_CHANNELS), "description": f"needed with {', '.join(_LAYERED)}"},
            "muxers": {**_words(MUXERS), "description": f"needed with {', '.join(_LAYERED)}"},
            "contract": {
                "enum": [contract.value for contract in Contract],
                "description": "generation of the container contract (default: classic; docs/image-contracts.md)",
            },
            "timeoutSecs": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAXIMUM_TIMEOUT_SECONDS,
                "description": "seconds that the application gives itself",
            },
            "local": {
                "enum": list(LOCAL_LANGUAGES),
                "description": "with `build`: how it is made and run as an ordinary process (docs/local.md)",
            },
            "suites": {
                **_words(list(suites)),
                "description": f"those it takes part in (default: {_implied(suites)[0]})",
            },
            "role": {"enum": list(get_args(Part)), "description": "over a simulated network (default: both)"},
            "url": {"type": "string", "pattern": f"^{URL}$", "description": "of the project"},
            "owner": {"type": "string", "description": "who to ask: a GitHub name or name/repository"},
        },
        "oneOf": [{"required": ["build"]}, {"required": ["image"]}],
        "dependencies": {
            "imageFile": ["build"],
            "local": ["build"],
            "secureChannels": ["muxers"],
            "muxers": ["secureChannels"],
        },
        "allOf": list(_contracts(suites)),
    }


def _implied(suites: Suites) -> list[str]:
    return [name for name, suite in suites.items() if suite.implied]


def _contracts(suites: Suites) -> Iterator[dict[str, Any]]:
    """A version is in suites of one contract, and has the keys that versions under it have."""
    names: dict[str, list[str]] = {}
    for name, suite in suites.items():
        names.setdefault(suite.contract, []).append(name)
    every = list(dict.fromkeys(key for suite in suites.values() for key in suite.row_keys))
    for of in names.values():
        keys = {key for name in of for key in suites[name].row_keys}
        others = [name for name in suites if name not in of]
        if set(of) & set(_implied(suites)):
            applies: dict[str, Any] = {"properties": {"suites": {"not": {"contains": {"enum": others}}}}}
        else:
            applies = {"required": ["suites"], "properties": {"suites": {"contains": {"enum": of}}}}
        forbidden: dict[str, Any] = dict.fromkeys((key for key in every if key not in keys), False)
        yield {"if": applies, "then": {"properties": {**forbidden, "suites": _words(of)}, **_stacks(keys)}}


def _stacks(keys: set[str]) -> dict[str, Any]:
    """Layered transports need a secure channel and a muxer, and no others do."""
    if "transports" not in keys:
        return {}
    return {
        "required": ["transports"],
        "if": {"properties": {"transports": {"contains": {"enum": _LAYERED}}}},
        "then": {"required": ["secureChannels", "muxers"]},
        "else": {"properties": {"secureChannels": False, "muxers": False}},
    }


def _words(known: Sequence[str]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"enum": list(known)}}
