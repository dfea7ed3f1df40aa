"""Which stack a connection really had: what both sides report of it, and what the published address says.

Reports are lines on stderr (contract, section 1.9), which an image reads from its live connection. Images that
write none are believed: their cells are marked, see `ci.model.Proof`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ci.model import Case, Reason, ReasonCode, Role
from ci.suites.transport.address import other_transport
from ci.suites.transport.words import TRANSPORT, Stack
from ci.util.text import strip_ansi

if TYPE_CHECKING:
    from ci.spec.attempt import Evidence
    from ci.spec.capture import Capture

__all__ = ["judge_stack", "reports"]

LAYERS: Final[tuple[str, ...]] = ("transport", "secureChannel", "muxer")
# Bounded everywhere, and to one line: a peer may fill its stderr with whatever it likes.
NEGOTIATED: Final = re.compile(
    r"^[^\w\r\n]{0,16}negotiated: "
    r"(?P<pairs>[a-zA-Z]{1,32}=[\w./-]{1,64}(?: [a-zA-Z]{1,32}=[\w./-]{1,64}){0,7})[ \t]*\r?$",
    re.MULTILINE | re.ASCII,
)


def reports(stderr: Capture) -> tuple[dict[str, str], ...]:
    """What one side says its connections were made of, in the order it said so."""
    lines = NEGOTIATED.finditer(strip_ansi(stderr.text()))
    return tuple(dict(pair.split("=", 1) for pair in line["pairs"].split(" ")) for line in lines)


def judge_stack(case: Case, evidence: Evidence) -> tuple[dict[str, str] | None, Reason | None]:
    """What the sides report of the connection, and why the attempt fails where it was not what was asked for.

    Both sides' reports are laid together, the dialer's word before the listener's.
    """
    said = {role: reports(evidence.streams[role, "stderr"]) for role in TRANSPORT.roles}
    for role in TRANSPORT.roles:
        for report in said[role]:
            if _wrong(case, report):
                return report, _another_stack(case, role, report, said)
    together = {
        name: it[name] for role in reversed(TRANSPORT.roles) for it in said[role] for name in LAYERS if name in it
    }
    return together or None, _another_transport(case, evidence)


def _wrong(case: Case, report: dict[str, str]) -> dict[str, str]:
    """What of this report is about the stack and not as asked; a standalone transport has one layer only."""
    asked = Stack.of(case).layers
    return {name: report[name] for name in LAYERS if name in report and report[name] != asked.get(name)}


def _another_stack(
    case: Case, role: Role, report: dict[str, str], said: dict[Role, tuple[dict[str, str], ...]]
) -> Reason:
    wrong = _wrong(case, report)
    got = ", ".join(f"{name} {value}" for name, value in wrong.items())
    wanted = ", ".join(Stack.of(case).layers.get(name, "none") for name in wrong)
    text = f"the {role} reports a connection with {got}, asked for was {wanted}"
    other: Role = "listener" if role == "dialer" else "dialer"
    against = next((it for it in said[other] if any(it.get(name, wrong[name]) != wrong[name] for name in wrong)), None)
    if against is not None:
        words = ", ".join(f"{name} {against[name]}" for name in wrong if name in against)
        text += f"; the {other} reports {words}"
    return Reason(code=ReasonCode.WRONG_STACK, text=text, side=role)


def _another_transport(case: Case, evidence: Evidence) -> Reason | None:
    """A dialer takes the address as it is, so what it names is what was dialed, whatever anybody says."""
    address = other_transport(evidence.published, Stack.of(case).transport)
    if address is None:
        return None
    text = f"the listener published an address of another transport than {Stack.of(case).transport}: {address[:256]}"
    return Reason(code=ReasonCode.WRONG_STACK, text=text, side="listener")
