"""What every scenario is built on: the link, how the container begins and ends, what it leaves behind."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from simulator_lab import LINK, Lab, captured

PLAIN = f"simple-p2p {LINK}"


@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
def test_a_packet_takes_the_delay_once_each_way(lab: Lab, ipv6: bool) -> None:
    with lab.simulate(PLAIN) as simulation:
        client, server = lab.talk(("udp-serve", "--echo"), ("udp-talk", "--count", "20"), ipv6=ipv6)
        report = simulation.finish().report

    sent, there, back = (dict(it) for it in (client["sent"], pairs(server["received"]), pairs(client["received"])))
    assert sorted(back) == list(range(1, 21))
    assert min(there[n] - sent[n] for n in there) >= 0.015
    assert min(back[n] - there[n] for n in back) >= 0.015
    # How much later is a matter of the host's load; not of the link, which is idle.
    assert min(back[n] - sent[n] for n in back) < 0.060
    assert (report["to_server"]["udp"], report["to_client"]["udp"]) == (20, 20)


def test_packets_beyond_the_queue_are_lost(lab: Lab) -> None:
    """A burst meets one packet in transmission, one in the device and the queue; what leaves meanwhile makes room."""
    with lab.simulate("simple-p2p --delay=15ms --bandwidth=100kbps --queue=5") as simulation:
        _, server = lab.talk(("udp-serve",), ("udp-talk", "--count", "20", "--rate", "100000", "--size", "1000"))
        report = simulation.finish().report["to_server"]

    # 1030 bytes take 82 ms, so at most one leaves during the burst.
    assert [number for number, *_ in server["received"]][:7] == list(range(1, 8))
    assert 7 <= len(server["received"]) <= 8
    assert report["longest_queue"] == 5
    assert report["queue_drops"] == 20 - len(server["received"])


def test_the_kernel_neither_forwards_nor_answers_in_place_of_the_link(lab: Lab) -> None:
    """One answer to a ping, one message when the TTL is used up, no reset to a connection that only passes through."""
    with lab.simulate(PLAIN) as simulation:
        pings = lab.client("ping", "-c", "5", "-i", "0.2", "193.167.100.100")
        pings6 = lab.client("ping", "-c", "5", "-i", "0.2", "fd00:cafe:cafe:100::100")
        expired = lab.client("sh", "-c", "ping -c 2 -i 0.2 -W 1 -t 1 193.167.100.100 || true")
        lab.talk(("tcp-serve",), ("tcp-talk", "--seconds", "0.5"))
        finished = simulation.finish()

    for output in (pings, pings6):
        assert "5 received" in output
        assert "DUP" not in output
    assert expired.count("exceeded") == 2
    assert finished.report["to_server"]["dropped"] == 0


def test_the_kernel_answers_for_its_own_addresses(lab: Lab) -> None:
    with lab.simulate(PLAIN):
        for address in ("193.167.0.2", "fd00:cafe:cafe::2"):
            output = lab.client("ping", "-c", "3", "-i", "0.2", address)
            assert "3 received" in output
            assert "DUP" not in output


def test_told_to_end_it_leaves_captures_and_a_report(lab: Lab) -> None:
    with lab.simulate(PLAIN) as simulation:
        lab.talk(("udp-serve", "--echo"), ("udp-talk", "--count", "50", "--rate", "200"))
        finished = simulation.finish()

    assert finished.exit_code == 0
    assert finished.seconds < 5  # two seconds and what Docker takes on a busy host
    for capture in (finished.left, finished.right):
        assert sorted(number for number, _ in captured(capture)) == sorted([*range(1, 51)] * 2), "each, there and back"
    assert finished.report["finished_monotonic"] > finished.report["started_monotonic"]


def test_nothing_piles_up_and_nothing_passes_when_it_has_ended(lab: Lab) -> None:
    """Many cases take turns in one namespace; between them, there is no way from one side to the other."""

    def state() -> str:
        return lab.middle("sh", "-c", "ip rule; ip -6 rule; ip link; ethtool -k eth0")

    states = []
    for _ in range(2):
        with lab.simulate(PLAIN):
            pass
        states.append(state())
        assert " 0 received" in lab.client("sh", "-c", "ping -c 2 -i 0.2 -W 1 193.167.100.100 || true")
    assert states[0] == states[1]
    assert states[0].count("blackhole") == 4


def test_captures_hold_all_that_was_simulated_until_the_end(lab: Lab) -> None:
    """Told to end in the middle of traffic: what the report has counted out of the link, the far side's capture has."""
    with ThreadPoolExecutor() as pool, lab.simulate(PLAIN) as simulation:
        talk = pool.submit(lab.talk, ("udp-serve",), ("udp-talk", "--count", "2000", "--rate", "500", "--idle", "0.1"))
        time.sleep(2)
        finished = simulation.finish()
        _, server = talk.result()

    arrived = captured(finished.right)
    assert len(arrived) == finished.report["to_server"]["udp"] == len(server["received"])
    assert 10 < len(arrived) < 2000
    assert len(captured(finished.left)) > len(arrived), "the client was still sending"


@pytest.mark.parametrize(
    ("scenario", "complaint"),
    [
        ("", "no scenario"),
        (f"wormhole {LINK}", "unknown scenario wormhole"),
        (f"simple-p2p {LINK} --colour=red", "--colour"),
        ("simple-p2p --bandwidth=10Mbps --queue=25", "--delay is missing"),
        ("simple-p2p --delay=15 --bandwidth=10Mbps --queue=25", "--delay=15: expected a time"),
        ("simple-p2p --delay=15ms --bandwidth=fast --queue=25", "--bandwidth=fast: expected a rate"),
        (f"drop-rate {LINK} --rate_to_client=101 --rate_to_server=0", "--rate_to_client=101"),
        (f"droplist {LINK} --drops_to_server=1,x", "x: expected a whole number"),
        (f"corrupt-rate {LINK} --rate_to_client=1 --rate_to_server=1 --corrupted=eaten", "--corrupted=eaten"),
        (f"rebind {LINK} --first-rebind=0s", "--first-rebind=0s"),
        (f"blackhole {LINK} --on=1s --off=1s --direction=up", "--direction=up"),
    ],
)
def test_a_scenario_it_cannot_do_ends_the_container_with_words(lab: Lab, scenario: str, complaint: str) -> None:
    with lab.simulate(scenario, until_ready=False) as simulation:
        finished = simulation.wait()

    assert finished.exit_code in {1, 2}
    assert complaint in finished.output


def test_no_server_is_told_after_ten_seconds(lab: Lab) -> None:
    with lab.simulate(PLAIN, wait_for="193.167.100.100:443", until_ready=False) as simulation:
        finished = simulation.wait()

    assert finished.exit_code == 1
    assert "no answer from 193.167.100.100:443 within 10 s" in finished.output


def test_it_waits_for_a_version_negotiation_packet(lab: Lab) -> None:
    """Any QUIC server answers a version that nobody speaks."""
    with lab.answering("udp-negotiate"), lab.simulate(PLAIN, wait_for="193.167.100.100:443") as simulation:
        finished = simulation.finish()

    assert finished.exit_code == 0
    assert finished.report["to_server"]["packets"] == 0, "the question does not cross the link"


def test_another_answer_is_not_taken_for_a_server(lab: Lab) -> None:
    with (
        lab.answering("udp-serve", "--echo"),
        lab.simulate(PLAIN, wait_for="193.167.100.100:443", until_ready=False) as simulation,
    ):
        finished = simulation.wait()

    assert finished.exit_code == 1
    assert "not with Version Negotiation" in finished.output


def test_the_report_says_what_was_run(lab: Lab) -> None:
    with lab.simulate(f"{PLAIN} --seed=4711") as simulation:
        finished = simulation.finish()

    assert finished.report["seed"] == 4711
    assert finished.report["scenario"] == f"{PLAIN} --seed=4711"
    assert json.dumps(4711) in finished.output


def pairs(received: list[list[object]]) -> list[tuple[int, float]]:
    """Number and time of what was received."""
    return [(int(str(it[0])), float(str(it[1]))) for it in received]
