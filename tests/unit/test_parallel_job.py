"""Which shard a job is: every provider's own way of counting, each shard exactly once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.errors import ConfigurationError
from ci.plan.parallel_job import PROVIDERS, Provider, shard_of_job
from ci.plan.shard import Shard

providers = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda it: it.name)


def said(provider: Provider, index: object, count: object) -> dict[str, str]:
    return {provider.index: str(index), provider.count: str(count)}


@providers
@given(st.integers(1, 256))
def test_all_jobs_together_run_every_shard_once(provider: Provider, count: int) -> None:
    jobs = [shard_of_job(said(provider, provider.first + number, count)) for number in range(count)]
    assert jobs == [Shard(number, count) for number in range(1, count + 1)]


@providers
@pytest.mark.parametrize("numbers", [("", "8"), ("1", ""), ("one", "8"), ("-1", "8"), ("1", "8.0"), ("²", "3")])
def test_half_of_it_is_no_shard(provider: Provider, numbers: tuple[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=provider.index):
        shard_of_job(said(provider, *numbers))


@providers
@pytest.mark.parametrize(("index", "count"), [(8, 8), (0, 0), (0, 257)])
def test_there_is_no_job_beyond_the_last(provider: Provider, index: int, count: int) -> None:
    with pytest.raises(ConfigurationError):
        shard_of_job(said(provider, provider.first + index, count))


def test_where_nobody_says_anything_the_error_names_who_could() -> None:
    with pytest.raises(ConfigurationError) as caught:
        shard_of_job({"CI": "true"})
    assert caught.value.why is not None
    assert all(it.index in caught.value.why for it in PROVIDERS)
