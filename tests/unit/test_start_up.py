"""What starts at once imports nothing that it does not need: engines, HTTP, what draws tables."""

from __future__ import annotations

import subprocess
import sys

import pytest
from checkouts import ROOT

# An engine's SDK, clients of servers, certificates; of rich what draws tables, live views and highlighted source.
HEAVY = {
    *("docker", "redis", "requests", "urllib3", "cryptography", "jinja2"),
    *("rich.table", "rich.live", "rich.progress", "rich.markdown", "markdown_it", "pygments"),
}
# `--help` prints names: it takes no command apart, reads no file and draws nothing.
NOTHING_TO_READ = {"yaml", "rich", "ci.config", "ci.plan", "ci.engines", "ci.runner", "ci.suites", "ci.reports"}
PROGRAM = """
import sys
from ci.__main__ import main
try:
    code = main({words!r})
except SystemExit as end:
    code = end.code
assert code == 0, code
print(*sorted(sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "unwanted"), [(["--help"], HEAVY | NOTHING_TO_READ), (["list", "--help"], HEAVY), (["list"], HEAVY)]
)
def test_nothing_is_imported_before_it_is_needed(words: list[str], unwanted: set[str]) -> None:
    program = PROGRAM.format(words=words)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert unwanted & set(done.stderr.split()) == set()
