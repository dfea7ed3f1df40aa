"""Python's search for garbage, put off while much is built that is none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["no_collection"]


@contextmanager
def no_collection() -> Iterator[None]:
    """For a block that builds hundreds of thousands of objects which stay: each search would go through all of them.

    Those searches take longer than building does. They are not gone through afterwards either: what is there at the end
    of the block counts as permanent.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
