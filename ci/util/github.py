"""The little of GitHub's API that a report on a pull request takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import requests

from ci.errors import ConfigurationError
from ci.util.json_document import decode

__all__ = ["GitHub"]

_SECONDS: Final = 30
_PAGE: Final = 100
_MOST_PAGES: Final = 30
_MOST_BYTES: Final = 16 << 20


class GitHub:
    """One repository, with a token that stands in a header and nowhere else.

    Every method raises `ConfigurationError` where GitHub refuses or does not answer.

    :param api: such as `https://api.github.com`
    :param repository: `owner/name`
    """

    def __init__(self, api: str, repository: str, token: str) -> None:
        self._base = f"{api.rstrip('/')}/repos/{repository}"
        self._session = requests.Session()
        self._session.headers.update(
            {
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            }
        )

    def pull_request_of(self, commit: str) -> int | None:
        """The number of the open pull request whose newest commit this is; None where there is none.

        The event of a run does not say it where the pull request is from a fork, and what a run made may say anything.
        """
        for pull in self._pages(f"/commits/{commit}/pulls"):
            if pull.get("state") == "open" and (pull.get("head") or {}).get("sha") == commit:
                return int(pull["number"])
        return None

    def put_comment(self, number: int, body: str) -> None:
        """Write a comment on a pull request, or over our own that begins with the same line."""
        mark = body.partition("\n")[0]
        for comment in self._pages(f"/issues/{number}/comments"):
            own = (comment.get("user") or {}).get("type") == "Bot"
            if own and str(comment.get("body") or "").partition("\n")[0].strip() == mark:
                self._ask("PATCH", f"/issues/comments/{int(comment['id'])}", {"body": body})
                return
        self._ask("POST", f"/issues/{number}/comments", {"body": body})

    def put_check(self, commit: str, *, name: str, conclusion: str, title: str, summary: str) -> None:
        """A check beside a commit."""
        output = {"title": title, "summary": summary}
        self._ask(
            "POST",
            "/check-runs",
            {"name": name, "head_sha": commit, "status": "completed", "conclusion": conclusion, "output": output},
        )

    def _pages(self, path: str) -> Iterator[Mapping[str, Any]]:
        for page in range(1, _MOST_PAGES + 1):
            found = self._ask("GET", f"{path}?per_page={_PAGE}&page={page}")
            if not isinstance(found, list):
                return
            yield from (it for it in found if isinstance(it, dict))
            if len(found) < _PAGE:
                return

    def _ask(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        try:
            with self._session.request(
                method, self._base + path, json=content, timeout=_SECONDS, stream=True, allow_redirects=False
            ) as response:
                body = response.raw.read(_MOST_BYTES, decode_content=True)
                if not response.ok:
                    raise _refused(method, path, f"{response.status_code} {response.reason}")
                return decode(body) if body else None
        except (requests.RequestException, OSError, ValueError) as error:
            raise _refused(method, path, type(error).__name__) from error


def _refused(method: str, path: str, what: str) -> ConfigurationError:
    return ConfigurationError(
        "github-refused",
        f"GitHub does not do {method} {path.partition('?')[0]}: {what}",
        why="the job's token lacks a permission (checks, pull-requests: write), or GitHub is out of reach",
        hint="give the job these permissions, and run it again",
    )
