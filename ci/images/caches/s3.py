"""`s3:BUCKET/PREFIX`: images in a bucket of S3 or of what speaks like it; read by anybody, written with credentials.

Which service, and where: `s3:BUCKET/PREFIX?endpoint=https://host&region=eu-west-1`, else `AWS_ENDPOINT_URL` and
`AWS_REGION`, else Amazon's. Credentials are those every tool reads: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
`AWS_SESSION_TOKEN`. Without them nothing is written, and nothing needs to be.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from ci.errors import ConfigurationError
from ci.images.caches.entries import ArchiveCache
from ci.images.caches.web import WebFiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests.auth import AuthBase

    from ci.images.caches.base import Limits

__all__ = ["open_s3"]

_OPTIONS: Final = frozenset({"endpoint", "region"})


def open_s3(url: str, limits: Limits, environment: Mapping[str, str] = os.environ) -> ArchiveCache:
    """:raises ConfigurationError: it names no bucket, or has an option that means nothing here"""
    place, _, query = url.partition(":")[2].partition("?")
    bucket, _, prefix = place.strip("/").partition("/")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if not bucket or not options.keys() <= _OPTIONS:
        raise ConfigurationError(
            "no-such-cache",
            f"`{url}` names no bucket" if not bucket else f"`{url}` has an option other than endpoint and region",
            hint="such as s3:my-bucket/images?region=eu-west-1, or with &endpoint=https://host",
        )
    region = options.get("region") or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    endpoint = options.get("endpoint") or environment.get("AWS_ENDPOINT_URL")
    if endpoint is not None and not (urlsplit(endpoint).hostname and endpoint.startswith(("https://", "http://"))):
        raise ConfigurationError("no-such-cache", f"`{endpoint}` is no address of an S3 service")
    # A bucket in the path: a name with a dot in it fits no certificate.
    base = (endpoint or f"https://s3.{region or 'us-east-1'}.amazonaws.com").rstrip("/")
    address = "/".join(part for part in (base, bucket, prefix.strip("/")) if part)
    auth = _signer(environment, region or "us-east-1")
    return ArchiveCache(
        WebFiles(
            address,
            limits,
            called=f"s3:{place}",
            auth=auth,
            hides=True,  # without the right to list a bucket, the answer for what is not there is 403
            read_only=None if auth else "there are no credentials to write with (AWS_ACCESS_KEY_ID, …)",
        )
    )


def _signer(environment: Mapping[str, str], region: str) -> AuthBase | None:
    key, secret = (environment.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    if not key or not secret:
        return None
    from requests_aws4auth import AWS4Auth  # noqa: PLC0415 -- only where something is written

    signer: AuthBase = AWS4Auth(key, secret, region, "s3", session_token=environment.get("AWS_SESSION_TOKEN") or None)
    return signer
