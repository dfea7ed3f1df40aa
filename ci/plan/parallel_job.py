"""Which shard this job is, as CI systems and schedulers tell a job that is one of several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ci.errors import ConfigurationError
from ci.plan.shard import Shard

__all__ = ["AUTO", "PROVIDERS", "Provider", "shard_of_job"]

# What is given in the place of a shard.
AUTO: Final = "auto"


@dataclass(frozen=True, kw_only=True)
class Provider:
    """:param index: variable with the job's number

    :param count: variable with how many jobs there are
    :param first: the number of the first job
    """

    name: str
    index: str
    count: str
    first: int


# In the order in which they are asked. GitHub has no variables for this: its workflow sets those of the first line
# from `strategy.job-index` and `strategy.job-total`; Kubernetes has none for the count: its manifest sets COMPLETIONS.
PROVIDERS: Final = (
    Provider(name="GitHub", index="INTEROP_JOB_INDEX", count="INTEROP_JOB_TOTAL", first=0),
    Provider(name="GitLab", index="CI_NODE_INDEX", count="CI_NODE_TOTAL", first=1),
    Provider(name="Buildkite", index="BUILDKITE_PARALLEL_JOB", count="BUILDKITE_PARALLEL_JOB_COUNT", first=0),
    Provider(name="CircleCI", index="CIRCLE_NODE_INDEX", count="CIRCLE_NODE_TOTAL", first=0),
    Provider(name="Kubernetes", index="JOB_COMPLETION_INDEX", count="COMPLETIONS", first=0),
)


def shard_of_job(environment: Mapping[str, str]) -> Shard:
    """The shard that this job is to run.

    :raises ConfigurationError: `no-parallel-job`: nobody says which, or only half of it
    """
    for provider in PROVIDERS:
        index, count = (environment.get(name, "").strip() for name in (provider.index, provider.count))
        if not index and not count:
            continue
        numbers = [int(it) for it in (index, count) if it.isascii() and it.isdigit() and len(it) < 10]
        if len(numbers) < 2:
            raise ConfigurationError(
                "no-parallel-job",
                f"{provider.index} is {index!r} and {provider.count} is {count!r}: two numbers are needed",
                why=f"{provider.name} tells a job its number and how many there are only where it runs several",
                hint="set both, or name the shard: 3/8",
            )
        return Shard(numbers[0] + 1 - provider.first, numbers[1])
    known = ", ".join(f"{it.index} and {it.count} ({it.name})" for it in PROVIDERS)
    raise ConfigurationError(
        "no-parallel-job",
        "nothing in the environment says which of several jobs this is",
        why=f"known are {known}",
        hint="name the shard: 3/8",
    )
