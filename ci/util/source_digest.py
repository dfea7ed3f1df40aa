"""Which code it was: a digest of Python sources, so that results of other code are not taken for those of this."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache
from pathlib import Path

__all__ = ["source_digest"]


@cache
def source_digest(*names: str) -> str:
    """Of these modules and packages of this project, with everything below them; the order does not matter."""
    digest = hashlib.sha256()
    for name in sorted(names):
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.origin is not None, name  # noqa: S101, PT018 -- written in this project
        origin = Path(spec.origin)
        paths = sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]
        for path in paths:
            content = path.read_bytes()
            where = path.relative_to(origin.parent).as_posix()
            digest.update(f"{name}/{where} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()
