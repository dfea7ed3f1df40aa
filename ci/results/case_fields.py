"""Cases in JSON: which two versions, in which roles, and what they do together, in the words of their suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from ci.model import Case, Suites, SuiteWords

__all__ = ["case_fields", "case_from", "suite_named", "with_case_fields"]

Base = TypeVar("Base", bound=Struct)
_VERSIONS: Final = ("first", "second")


def suite_named(name: str | None, suites: Suites) -> SuiteWords:
    """The suite of this name; what names none is of the implied one.

    :raises msgspec.ValidationError: there is no such suite
    """
    found = next((it for it in suites.values() if (it.implied if name is None else it.name == name)), None)
    if found is None:
        raise msgspec.ValidationError(f"`suite` is none of {', '.join(suites)}: {name!r}")
    return found


@cache
def with_case_fields(base: type[Base], suite: SuiteWords, *, nested: bool) -> type[Base]:
    """The struct with the fields of a suite's cases: `dialer` and `listener`, or `client` and `server`, and params.

    The first of the params is always there.

    :param nested: the params are an object `params` of their own, not fields beside the others
    """
    versions: list[Any] = [
        (field, str, msgspec.field(name=role)) for field, role in zip(_VERSIONS, suite.roles, strict=True)
    ]
    params: list[Any] = [
        (f"param_{number}", str, msgspec.field(name=param.key))
        if number == 0
        else (f"param_{number}", str | None, msgspec.field(name=param.key, default=None))
        for number, param in enumerate(suite.params)
    ]
    options: dict[str, Any] = {"frozen": True, "kw_only": True}
    if nested:
        versions.append(("params", msgspec.defstruct(f"{suite.name.title()}Params", params, **options)))
    return msgspec.defstruct(  # type: ignore[return-value]
        f"{suite.name.title()}{base.__name__}", [*versions, *([] if nested else params)], bases=(base,), **options
    )


def case_from(document: Struct, suite: SuiteWords, known: dict[tuple[str | None, ...], tuple[str | None, ...]]) -> Case:
    """The case of a document with the fields of `with_case_fields`.

    :param known: params met before; thousands of cases share a few
    """
    fields: Any = document
    params = _params_of(len(suite.params))(getattr(document, "params", document))
    return Case(suite, fields.first, fields.second, known.setdefault(params, params))


@cache
def _params_of(count: int) -> Callable[[Struct], tuple[str | None, ...]]:
    """What reads so many of them from what holds them."""
    if count == 1:
        return lambda holder: (holder.param_0,)  # type: ignore[attr-defined]
    return attrgetter(*(f"param_{number}" for number in range(count)))


def case_fields(case: Case) -> Mapping[str, Any]:
    """The same fields, to be written beside others."""
    return {**case.versions, **case.named_params}
