"""The certificates of one run (quic-interop contract, section 3): root, intermediates, leaf, all on P-256.

The keys come from the run's seed, so that a run can be repeated with the certificates it had; the times of validity
do not. The seed tells the keys: they protect nothing but a test.
"""

from __future__ import annotations

import os
import string
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ci.suites.quic.materials.seeded import Draw

__all__ = ["PRIVATE_KEY", "write_certificates"]

PRIVATE_KEY: Final = "priv.key"
VALID_FOR: Final = timedelta(days=10)
HOST_NAMES: Final = ("server", "server4", "server6", "server46")

# What makes the long chain long: names that no resolver would take, but every certificate holds.
PADDING_NAMES: Final = 20
PADDING_NAME_LENGTH: Final = 250

# OpenSSL's `ecparam -genkey` writes the curve before the key, and endpoints exist that insist on reading it there.
EC_PARAMETERS: Final = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
# A private key is a number from 1 to the order of the curve, itself excluded.
P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, kw_only=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def key_identifier(self) -> bytes:
        return x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()).digest


def write_certificates(folder: Path, *, seed: int, length: int = 1, now: datetime | None = None) -> None:
    """Write `ca.pem`, `cert.pem` and `priv.key` (mode 0600) into `folder`, which must exist and hold none of them.

    :param length: certificates in `cert.pem`: the leaf and `length` - 1 intermediates; a chain longer than one also
        pads its leaf with twenty long names
    :param now: beginning of the ten days of validity; the present if None
    """
    draw = Draw(seed, "certificates")
    begin = (now or datetime.now(timezone.utc)).replace(microsecond=0)
    root = issuer = _authority("interop runner Root Certificate Authority", None, draw, begin)
    chain: list[x509.Certificate] = []
    for number in range(1, length):
        issuer = _authority(f"interop runner intermediate {number}", issuer, draw, begin)
        chain.insert(0, issuer.certificate)
    names = list(HOST_NAMES)
    if length > 1:
        alphabet = string.ascii_lowercase + string.digits
        names += [draw.letters(PADDING_NAME_LENGTH, alphabet) for _ in range(PADDING_NAMES)]
    key = _key(draw)
    chain.insert(0, _leaf(names, key, issuer, draw, begin))

    (folder / "ca.pem").write_bytes(root.certificate.public_bytes(Encoding.PEM))
    (folder / "cert.pem").write_bytes(b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain))
    sec1 = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    # Private from its first byte on: created with its mode, not changed to it.
    with os.fdopen(os.open(folder / PRIVATE_KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(EC_PARAMETERS + sec1)


def _authority(name: str, issuer: _Authority | None, draw: Draw, begin: datetime) -> _Authority:
    key = _key(draw)
    serial = _serial(draw)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # Besides the signer's key, its own issuer and serial number are named, as OpenSSL's `issuer:always` does it.
    signer = x509.AuthorityKeyIdentifier(
        issuer.key_identifier if issuer else own.digest,
        [x509.DirectoryName(issuer.certificate.issuer if issuer else _name(name))],
        issuer.certificate.serial_number if issuer else serial,
    )
    builder = (
        _builder(name, key, issuer.certificate.subject if issuer else _name(name), serial, begin)
        .add_extension(own, critical=False)
        .add_extension(signer, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=100), critical=True)
        .add_extension(_key_usage(), critical=True)
    )
    return _Authority(certificate=builder.sign(issuer.key if issuer else key, hashes.SHA256()), key=key)


def _leaf(
    names: list[str], key: ec.EllipticCurvePrivateKey, issuer: _Authority, draw: Draw, begin: datetime
) -> x509.Certificate:
    return (
        _builder("interop runner leaf", key, issuer.certificate.subject, _serial(draw), begin)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(issuer.key_identifier, None, None), critical=False)
        .sign(issuer.key, hashes.SHA256())
    )


def _builder(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, serial: int, begin: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(begin)
        .not_valid_after(begin + VALID_FOR)
    )


def _name(organization: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)])


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        key_cert_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key(draw: Draw) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(1 + draw.number(bits=320) % (P256_ORDER - 1), ec.SECP256R1())


def _serial(draw: Draw) -> int:
    return 1 + draw.number(bits=128)
