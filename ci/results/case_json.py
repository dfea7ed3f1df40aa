"""Cases in JSON: which two versions, in which roles, and what they do together. Every file says it in these words."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

from ci.model import PAIR_OF, SUITES, Case, Exercise, Params, Stack, SuiteName

if TYPE_CHECKING:
    from ci.util.json_fields import Fields, Json

__all__ = ["case_from_json", "pair_to_json", "params_from_json", "params_to_json", "suite_from_json"]


def suite_from_json(fields: Fields) -> SuiteName:
    """The suite an object belongs to; what says nothing is of the first suite there was.

    :raises ConfigurationError: it names another
    """
    name = fields.optional_text("suite") or "transport"
    if name not in SUITES:
        raise fields.refusal("suite", f"is none of {', '.join(SUITES)}: {name!r}")
    return cast("SuiteName", sys.intern(name))


def pair_to_json(case: Case) -> dict[str, Json]:
    """`dialer` and `listener`, or `client` and `server`."""
    return {str(role): version for role, version in case.versions.items()}


def params_to_json(params: Params) -> dict[str, Json]:
    if isinstance(params, Exercise):
        return {"testCase": params.name}
    return {"transport": params.transport, "secureChannel": params.secure_channel, "muxer": params.muxer}


def params_from_json(fields: Fields, suite: SuiteName) -> Params:
    """What `params_to_json` wrote, among whatever else the object holds.

    :raises ConfigurationError: a word is missing or is no word
    """
    # Interned because a run has a hundred thousand of these with the same few values.
    if suite != "transport":
        return Exercise(suite, sys.intern(fields.text("testCase")))
    return Stack(
        sys.intern(fields.text("transport")), fields.optional_text("secureChannel"), fields.optional_text("muxer")
    )


def case_from_json(fields: Fields, params: Params) -> Case:
    """:raises ConfigurationError: one of the two versions is missing"""
    first, second = PAIR_OF[params.suite]
    return Case(fields.text(first), fields.text(second), params)
