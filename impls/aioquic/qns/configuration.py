"""How aioquic is set up for a test case."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from aioquic.h0.connection import H0_ALPN
from aioquic.h3.connection import H3_ALPN
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicProtocolVersion
from aioquic.tls import CipherSuite

from .qlog import StreamingLogger
from .task import Task

#: Seconds without a packet until a connection is given up. Some test cases lose a third of all packets, and a handshake
#: that is slow is still a good one; what is too slow is for the runner to say.
PATIENCE = 300.0

#: The client's flow control windows in `transfer`, bytes. The test case wants them to grow within the first megabyte.
SMALL_CONNECTION_WINDOW = 256 * 1024
SMALL_STREAM_WINDOW = 128 * 1024


@contextmanager
def configured(task: Task) -> Iterator[QuicConfiguration]:
    """The configuration of one run, with logs that are complete when this ends."""
    with ExitStack() as stack:
        configuration = configure(task)
        if task.places.key_log:
            # Line by line: who is stopped has still told the secrets of what he sent.
            configuration.secrets_log_file = stack.enter_context(
                task.places.key_log.open("a", encoding="utf-8", buffering=1)
            )
        if task.places.qlog:
            task.places.qlog.mkdir(parents=True, exist_ok=True)
            logger = StreamingLogger(task.places.qlog)
            stack.callback(logger.close)
            configuration.quic_logger = logger
        yield configuration


def configure(task: Task) -> QuicConfiguration:
    """All of it but the logs."""
    is_client = task.role == "client"
    configuration = QuicConfiguration(
        is_client=is_client,
        alpn_protocols=application_protocols(task),
        idle_timeout=PATIENCE,
        # aioquic alone offers version 2 as well, and a server that likes it better would use it in every test case.
        supported_versions=[QuicProtocolVersion.VERSION_1],
    )
    if is_client:
        configuration.load_verify_locations(cafile=str(task.places.certificates / "ca.pem"))
    else:
        configuration.load_cert_chain(task.places.certificates / "cert.pem", task.places.certificates / "priv.key")

    if task.is_webtransport:
        configuration.max_datagram_frame_size = 65536
    elif task.testcase == "chacha20":
        configuration.cipher_suites = [CipherSuite.CHACHA20_POLY1305_SHA256]
    elif task.testcase == "v2":
        configuration.supported_versions = [QuicProtocolVersion.VERSION_2, QuicProtocolVersion.VERSION_1]
        if is_client:
            configuration.original_version = QuicProtocolVersion.VERSION_1
    elif task.testcase == "transfer" and is_client:
        configuration.max_data = SMALL_CONNECTION_WINDOW
        configuration.max_stream_data = SMALL_STREAM_WINDOW
    return configuration


def application_protocols(task: Task) -> list[str]:
    """What is offered by ALPN, the best first.

    Test cases other than `http3` do not care, and peers that speak only HTTP/3 can take part in them.
    """
    if task.is_webtransport or task.testcase == "http3":
        return H3_ALPN
    return H0_ALPN + H3_ALPN
