"""The JSON Schema of `versions.yaml`, from which editors complete and check rows while they are typed.

`python -m ci.config.schema > docs/versions.schema.json` writes it. Its words are those the reader has, and a test holds
the file to them. It says what one value may be; what rows must be to each other and to the checkout, and what was
probably meant, only the reader says (`ci.config.catalogue`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, Final, get_args

from ci.config.row import MAXIMUM_TIMEOUT_SECONDS, PLAIN, TRANSPORT_KEYS, URL
from ci.model import LOCAL_LANGUAGES, MUXERS, SECURE_CHANNELS, STANDALONE, SUITES, TRANSPORTS, Contract, Part

__all__ = ["versions_schema"]

_NAME: Final = {"type": "string", "pattern": f"^{PLAIN}$"}
_LAYERED: Final = [name for name in TRANSPORTS if name not in STANDALONE]
_OVER_A_NETWORK: Final = [name for name in SUITES if name != "transport"]


def versions_schema() -> dict[str, Any]:
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
            "versions": {"type": "array", "minItems": 1, "items": _row()},
        },
    }


def _row() -> dict[str, Any]:
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
            "suites": {**_words(SUITES), "description": "those it takes part in (default: transport)"},
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
        "if": {"required": ["suites"], "properties": {"suites": {"contains": {"enum": _OVER_A_NETWORK}}}},
        "then": {"properties": dict.fromkeys(TRANSPORT_KEYS, False) | {"suites": _words(_OVER_A_NETWORK)}},
        "else": {
            "required": ["transports"],
            "properties": {"role": False},
            "if": {"properties": {"transports": {"contains": {"enum": _LAYERED}}}},
            "then": {"required": ["secureChannels", "muxers"]},
            "else": {"properties": {"secureChannels": False, "muxers": False}},
        },
    }


def _words(known: Sequence[str]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"enum": list(known)}}


if __name__ == "__main__":
    json.dump(versions_schema(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
