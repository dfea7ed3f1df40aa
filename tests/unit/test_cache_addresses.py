"""Addresses of image caches, where they come from, and what is said of one that makes no sense."""

from __future__ import annotations

import pytest

from ci.commands.engine_choice import caches_of
from ci.errors import ConfigurationError
from ci.images.caches.base import Limits
from ci.images.caches.registry import open_cache


@pytest.mark.parametrize(
    ("url", "called"),
    [
        ("dir:/var/cache/interop", "dir:/var/cache/interop"),
        ("oci:ghcr.io/owner/interop", "oci:ghcr.io/owner/interop"),
        ("oci:ghcr.io/Owner/Interop", "oci:ghcr.io/owner/interop"),
        ("oci:127.0.0.1:5000", "oci:127.0.0.1:5000"),
        ("oci:registry:5000/interop", "oci:registry:5000/interop"),
        ("s3:bucket/prefix?region=eu-west-1", "s3:bucket/prefix"),
        ("https://user:secret@example.org/images/", "https://example.org/images/"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_an_address_says_what_it_is(url: str, called: str) -> None:
    assert open_cache(url, Limits()).describe() == called


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("dir:", "names no folder"),
        ("/var/cache", "names no kind of cache"),
        ("ocl:ghcr.io/owner", "did you mean `oci`?"),
        ("oci:", "names no registry"),
        ("oci:https://ghcr.io/owner", "names no registry"),
        ("oci:owner/images", "names no registry"),
        ("s3:", "names no bucket"),
        ("s3:bucket?acl=public", "an option other than endpoint and region"),
        ("s3:bucket?endpoint=minio", "no address of an S3 service"),
        ("https://", "no address of a folder"),
        ("https://example.org/images?token=secret", "no address of a folder"),
    ],
)
def test_one_that_makes_no_sense_is_refused(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_cache(url, Limits())
    assert said in refused.value.message


def test_each_place_is_opened_once_and_used_as_it_was_given() -> None:
    environment = {"INTEROP_CACHE_FROM": "dir:/b  oci:ghcr.io/owner", "INTEROP_CACHE_TO": "dir:/b dir:/c"}
    chain = caches_of(["dir:/a"], environment, print)
    assert chain is not None
    assert [(it.cache.describe(), it.reads, it.writes) for it in chain.places] == [
        ("dir:/a", True, True),
        ("dir:/b", True, True),
        ("oci:ghcr.io/owner", True, False),
        ("dir:/c", False, True),
    ]
    assert caches_of([], {}, print) is None
