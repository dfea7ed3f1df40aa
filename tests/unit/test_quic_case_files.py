"""What a run is supplied with: the same seed, the same files, names, keys and requests."""

from __future__ import annotations

import os
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st
from record_strategies import unhurried

from ci.suites.quic.materials.case_files import prepare
from ci.suites.quic.materials.certificates import write_certificates
from ci.suites.quic.materials.seeded import Draw, content
from ci.suites.quic.materials.words import ADJECTIVES, ANIMALS
from ci.suites.quic.testcases.base import TestCase
from ci.suites.quic.testcases.handshake import HANDSHAKE, IPV6, MULTIPLEXING
from ci.suites.quic.testcases.losses import AMPLIFICATION_LIMIT
from ci.suites.quic.testcases.paths import CONNECTION_MIGRATION
from ci.suites.quic.testcases.registry import QUIC_CASES, QUIC_MEASUREMENTS, WEBTRANSPORT_CASES
from ci.suites.quic.testcases.resumption import ZERO_RTT

ALL = (*QUIC_CASES, *QUIC_MEASUREMENTS, *WEBTRANSPORT_CASES)
NOW = datetime(2026, 4, 6, 12, 30, 15, 678, tzinfo=timezone.utc)
seeds = st.integers(min_value=0, max_value=2**63)


# --- drawing ----------------------------------------------------------------------------------------------


def test_what_a_seed_gives_never_changes() -> None:
    """Recorded seeds must give the same files in every release, on every Python."""
    draw = Draw(1, "files")
    assert [draw.slug(), draw.slug(), draw.letters(8)] == ["tame-lean-ant", "sunny-lunar-fox", "crvbqzwp"]
    assert content(1, "a", 8).hex() == "865769e723de7707"
    assert Draw(1, "number").number(bits=64) == 5428036656608095403


@unhurried
@given(seeds)
def test_names_are_fit_for_paths_and_never_twice(seed: int) -> None:
    draw = Draw(seed, "names")
    slugs = [draw.slug() for _ in range(50)]
    assert len(set(slugs)) == 50
    for slug in slugs:
        first, second, third = slug.split("-")
        assert first in ADJECTIVES
        assert second in ADJECTIVES
        assert third in ANIMALS
        # With "PUSH ", a line end and 998 bytes this makes 1024: what a browser puts into one datagram.
        assert len(slug) <= 20


@unhurried
@given(seeds, st.integers(min_value=1, max_value=2**53))
def test_numbers_are_below_their_bound(seed: int, bound: int) -> None:
    draw = Draw(seed, "numbers")
    assert all(0 <= draw.below(bound) < bound for _ in range(20))
    assert 0 <= draw.number(bits=64) < 2**64


def test_purposes_do_not_share_a_stream() -> None:
    assert Draw(7, "a").number(bits=128) != Draw(7, "b").number(bits=128)
    assert content(7, "a", 64) != content(7, "b", 64) != content(8, "b", 64)
    assert len(content(7, "a", 1_000_003)) == 1_000_003


# --- case_files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("test", ALL, ids=lambda test: f"{test.suite}-{test.name}")
def test_the_seed_alone_decides(test: TestCase) -> None:
    assert test.case_files(5) == test.case_files(5)
    assert test.case_files(5).requests != test.case_files(6).requests
    case_files = test.case_files(5)
    assert [file.size for file in case_files.files] == list(test.sizes)
    assert len({file.name for file in case_files.files}) == len(case_files.files)
    # One environment string (the name and `=` included) may not have more on Linux.
    assert all(len(value) < 128 * 1024 - 32 for value in case_files.requests.values())


def test_requests_are_urls_of_all_files() -> None:
    case_files = IPV6.case_files(3)
    assert case_files.requests["client"] == " ".join(f"https://server6:443/{file.name}" for file in case_files.files)
    assert case_files.requests["server"] == ""
    assert case_files.protocols == {"client": "", "server": ""}
    assert HANDSHAKE.case_files(3).requests["client"].startswith("https://server4:443/")
    assert CONNECTION_MIGRATION.case_files(3).requests["client"].startswith("https://server46:443/")
    assert len(MULTIPLEXING.case_files(3).requests["client"].split(" ")) == 1999
    assert {len(file.name) for file in ZERO_RTT.case_files(3).files} == {250}
    assert AMPLIFICATION_LIMIT.case_files(3).chain_length == 9


@unhurried
@given(seeds)
def test_webtransport_protocols_have_one_right_answer(seed: int) -> None:
    case_files = WEBTRANSPORT_CASES[0].case_files(seed)
    client, server = (case_files.protocols[side].split(" ") for side in ("client", "server"))
    assert len(set(client)) == len(set(server)) == 5
    shared = [name for name in client if name in server]
    assert len(shared) == 2
    assert case_files.protocol == shared[0]
    assert [name for name in server if name in client] == shared[::-1]
    assert [client.index(name) for name in shared] == sorted(server.index(name) for name in shared)
    assert case_files.requests == {"client": f"https://server4:443/{case_files.empty_folders[0][1]}", "server": ""}


def test_webtransport_requests_come_from_who_has_no_files() -> None:
    by_name = {test.name: test.case_files(4) for test in WEBTRANSPORT_CASES}
    receive, send = by_name["transfer-datagram-receive"], by_name["transfer-datagram-send"]
    assert len(receive.files) == len(send.files) == 200
    assert [file.size for file in receive.files] == list(range(600, 1000, 2))

    assert receive.sender == "server"
    assert receive.requests["server"] == ""
    assert receive.requests["client"].split(" ")[7] == f"https://server4:443/{receive.files[7].name}"

    assert (send.sender, send.receiver) == ("client", "server")
    endpoint = send.files[0].name.partition("/")[0]
    assert send.requests["client"] == f"https://server4:443/{endpoint}"
    assert send.requests["server"].split(" ") == [file.name for file in send.files]
    assert send.protocols["client"] == send.protocols["server"] != ""


def test_what_is_prepared_is_what_was_described(tmp_path: Path) -> None:
    case_files = IPV6.case_files(9)
    prepare(case_files, tmp_path, now=NOW)

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("certs", "client_downloads", "client_www", "server_downloads", "server_www"),
    ]
    served = {path.name: path.read_bytes() for path in (tmp_path / "server_www").iterdir()}
    assert served == {file.name: file.content(9) for file in case_files.files}
    assert not list((tmp_path / "client_www").iterdir())
    assert stat.S_IMODE((tmp_path / "certs").stat().st_mode) == 0o700


def test_what_a_container_is_given_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    """A server's workers run as somebody else there, and have to read what they serve."""
    before = os.umask(0o077)
    try:
        prepare(HANDSHAKE.case_files(1), tmp_path)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_file()}
    assert modes.pop("priv.key") == 0o600
    assert len(modes) >= 3
    assert set(modes.values()) == {0o644}


def test_webtransport_files_lie_below_their_endpoint(tmp_path: Path) -> None:
    send = next(test for test in WEBTRANSPORT_CASES if test.name == "transfer-datagram-send").case_files(2)
    prepare(send, tmp_path)
    endpoint = send.files[0].name.partition("/")[0]
    assert len(list((tmp_path / "client_www" / endpoint).iterdir())) == 200
    assert list((tmp_path / "server_www").iterdir()) == [tmp_path / "server_www" / endpoint]
    assert not list((tmp_path / "server_www" / endpoint).iterdir())


def test_a_handshake_over_webtransport_has_a_folder_for_its_endpoint_at_the_server_only(tmp_path: Path) -> None:
    case_files = WEBTRANSPORT_CASES[0].case_files(2)
    prepare(case_files, tmp_path)
    ((side, endpoint),) = case_files.empty_folders
    assert side == "server"
    assert (tmp_path / "server_www" / endpoint).is_dir()
    assert not list((tmp_path / "client_www").iterdir())


# --- certificates -----------------------------------------------------------------------------------------


def written(folder: Path, length: int, seed: int = 1) -> tuple[x509.Certificate, list[x509.Certificate]]:
    folder.mkdir(exist_ok=True)
    write_certificates(folder, seed=seed, length=length, now=NOW)
    root = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    return root, x509.load_pem_x509_certificates((folder / "cert.pem").read_bytes())


@pytest.mark.parametrize("length", [1, 2, 9])
def test_each_certificate_is_signed_by_the_next_and_the_last_by_the_root(tmp_path: Path, length: int) -> None:
    root, chain = written(tmp_path, length)

    assert len(chain) == length
    for certificate, issuer in zip([*chain, root], [*chain[1:], root, root], strict=True):
        certificate.verify_directly_issued_by(issuer)
    names = [certificate.subject.rfc4514_string() for certificate in [*chain, root]]
    assert names == [
        "O=interop runner leaf",
        *(f"O=interop runner intermediate {number}" for number in range(length - 1, 0, -1)),
        "O=interop runner Root Certificate Authority",
    ]
    for certificate in (root, *chain):
        assert certificate.not_valid_before_utc == NOW.replace(microsecond=0)
        assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=10)
        assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
        assert certificate.signature_hash_algorithm is not None
        assert certificate.signature_hash_algorithm.name == "sha256"


def test_authorities_may_sign_and_the_leaf_says_only_who_it_is(tmp_path: Path) -> None:
    root, (leaf, intermediate) = written(tmp_path, 2)

    for certificate in (root, intermediate):
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical
        assert constraints.value == x509.BasicConstraints(ca=True, path_length=100)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
        assert usage.critical
        assert usage.value.key_cert_sign
        assert not usage.value.crl_sign
        signer = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        assert signer.authority_cert_serial_number == root.serial_number
    kinds = {type(extension.value) for extension in leaf.extensions}
    assert kinds == {x509.SubjectAlternativeName, x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier}


def test_the_leaf_has_the_four_names_and_the_long_chain_twenty_more(tmp_path: Path) -> None:
    def names(leaf: x509.Certificate) -> list[str]:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return extension.value.get_values_for_type(x509.DNSName)

    _, short = written(tmp_path / "short", 1)
    assert names(short[0]) == ["server", "server4", "server6", "server46"]
    _, long = written(tmp_path / "long", 9)
    assert names(long[0])[:4] == ["server", "server4", "server6", "server46"]
    assert [len(name) for name in names(long[0])[4:]] == [250] * 20
    assert all(name.isalnum() for name in names(long[0])[4:])
    size = sum(len(certificate.public_bytes(Encoding.DER)) for certificate in long)
    assert 9300 < size < 10_000  # what `amplificationlimit` counts on


def test_the_key_is_the_leafs_private_and_preceded_by_its_curve(tmp_path: Path) -> None:
    _, (leaf,) = written(tmp_path, 1)

    text = (tmp_path / "priv.key").read_text()
    assert stat.S_IMODE((tmp_path / "priv.key").stat().st_mode) == 0o600
    assert [line for line in text.splitlines() if line.startswith("-----")] == [
        "-----BEGIN EC PARAMETERS-----",
        "-----END EC PARAMETERS-----",
        "-----BEGIN EC PRIVATE KEY-----",
        "-----END EC PRIVATE KEY-----",
    ]
    key = load_pem_private_key(text[text.index("-----BEGIN EC PRIVATE") :].encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == leaf.public_key()


def test_keys_come_from_the_seed(tmp_path: Path) -> None:
    _, (first,) = written(tmp_path / "a", 1, seed=1)
    _, (again,) = written(tmp_path / "b", 1, seed=1)
    _, (other,) = written(tmp_path / "c", 1, seed=2)
    assert first.public_key() == again.public_key() != other.public_key()
    assert first.serial_number == again.serial_number != other.serial_number


def test_certificates_are_valid_from_now_on(tmp_path: Path) -> None:
    write_certificates(tmp_path, seed=1)
    root = x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes())
    assert abs(root.not_valid_before_utc - datetime.now(timezone.utc)) < timedelta(minutes=1)
