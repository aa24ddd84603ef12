"""Real files to read: `read` writes one and returns its rows."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.rows import Rejection, Row
from llmbatch.readers import ReaderOptions, read_rows, resolve_inputs

Read = Callable[..., list[Row | Rejection]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def written_and_read(content: bytes | str, name: str = "in.jsonl", **options: Any) -> list[Row | Rejection]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        reading = ReaderOptions(**options)
        return list(read_rows(resolve_inputs([str(path)], reading), reading))

    return written_and_read


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and self-signed certificate of 127.0.0.1, in one file."""
    pytest.importorskip("cryptography", reason="there is nothing to make certificates with")
    from cryptography import x509  # noqa: PLC0415 - comes with moto
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - comes with moto
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - comes with moto

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file
