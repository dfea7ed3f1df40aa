"""The pair of endpoints that shares the link with QUIC in the crosstraffic measurement."""

from __future__ import annotations

import re
import statistics
import time

import pytest
from simulator_lab import CLIENT, LINK, Lab, build

from ci.engines.docker.daemon import Daemon


@pytest.fixture(scope="module")
def iperf(daemon: Daemon) -> str:
    assert daemon.api.ping()
    return build("iperf")


def test_one_stream_flows_from_the_servers_side_to_the_clients(lab: Lab, daemon: Daemon, iperf: str) -> None:
    with (
        lab.simulate(f"simple-p2p {LINK}") as simulation,
        lab.endpoint(iperf, "client") as listener,
        lab.endpoint(iperf, "server", CLIENT=CLIENT[0], IPERF_CONGESTION="cubic") as sender,
    ):
        time.sleep(6)
        output = {it: daemon.api.logs(it).decode() for it in (listener, sender)}
        daemon.api.stop(listener, timeout=5)
        daemon.api.stop(sender, timeout=5)
        report = simulation.finish().report

    assert "congestion control set to cubic" in output[sender]
    rates = [float(it) for it in re.findall(r"([\d.]+) Mbits/sec", output[listener])]
    assert len(rates) >= 2
    assert 3 < statistics.mean(rates) < 10  # a late look makes single seconds appear faster than the link
    assert report["to_client"]["packets"] > report["to_server"]["packets"]


def test_a_congestion_control_the_kernel_has_not_is_an_error(lab: Lab, daemon: Daemon, iperf: str) -> None:
    with (
        lab.simulate(f"simple-p2p {LINK}"),
        lab.endpoint(iperf, "client"),
        lab.endpoint(iperf, "server", CLIENT=CLIENT[0], IPERF_CONGESTION="hope") as sender,
    ):
        assert daemon.api.wait(sender, timeout=60)["StatusCode"] == 1
        assert "no congestion control hope" in daemon.api.logs(sender).decode()


def test_it_has_one_test_case(lab: Lab, daemon: Daemon, iperf: str) -> None:
    with lab.endpoint(iperf, "client", TESTCASE="transfer") as container:
        assert daemon.api.wait(container, timeout=60)["StatusCode"] == 127
