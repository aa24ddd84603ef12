"""A file in a bucket is downloaded completely or not at all, even if connections are lost or the file is replaced."""

import ssl
import sys
from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.readers.sources.download import download
from llmbatch.readers.sources.object_store import open_bucket
from llmbatch.readers.sources.remote_address import parse_remote
from tests.readers.file_server import Asked, FileServer, Reply, ranged, serving

pytest.importorskip("obstore", reason="the extra `cloud` is not installed")

BODY = bytes(number * 7 % 251 for number in range(251)) * 12_000
MADE = {"Last-Modified": "Fri, 27 Nov 2026 12:00:00 GMT"}


def version(tag: str) -> dict[str, str]:
    return {"ETag": f'"{tag}"', **MADE}


def fetch(server: FileServer, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": server.url("")}
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    address = parse_remote("s3://bucket/docs.jsonl")
    download(open_bucket(address).file(address.path), file, wait=lambda _: None)


def started(file: Path, size: int, tag: str) -> None:
    """The partial download that a killed program left."""
    file.with_name("spool.part").write_bytes(BODY[:size])
    file.with_name("spool.part.json").write_text(f'{{"etag": "\\"{tag}\\"", "size": {len(BODY)}}}')


def test_a_download_resumes_after_lost_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def script(asked: Asked) -> Reply:
        return ranged(BODY, asked, version("1"), cut=1_200_000 if len(server.asked) < 3 else None)

    with serving(script) as server:
        fetch(server, tmp_path / "spool", monkeypatch)
    assert (tmp_path / "spool").read_bytes() == BODY


def test_a_partial_download_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started(tmp_path / "spool", 2_000_000, "1")
    with serving(lambda asked: ranged(BODY, asked, version("1"))) as server:
        fetch(server, tmp_path / "spool", monkeypatch)
        assert [asked.headers["Range"] for asked in server.asked] == ["bytes=2000000-"]
        assert server.asked[0].headers["If-Match"] == '"1"'
    assert (tmp_path / "spool").read_bytes() == BODY


def test_a_partial_download_of_another_file_is_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def script(asked: Asked) -> Reply:
        if asked.headers.get("If-Match", '"2"') != '"2"':
            return Reply(status=412)
        return ranged(BODY[::-1], asked, version("2"))

    started(tmp_path / "spool", 2_000_000, "1")
    with serving(script) as server:
        fetch(server, tmp_path / "spool", monkeypatch)
    assert (tmp_path / "spool").read_bytes() == BODY[::-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spool", "spool.json"]


def test_a_file_replaced_during_the_download_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def script(asked: Asked) -> Reply:
        if len(server.asked) == 1:
            return ranged(BODY, asked, version("1"), cut=1_200_000)
        if asked.headers.get("If-Match", '"2"') != '"2"':
            return Reply(status=412)
        return ranged(BODY[::-1], asked, version("2"))

    with serving(script) as server:
        fetch(server, tmp_path / "spool", monkeypatch)
    assert (tmp_path / "spool").read_bytes() == BODY[::-1]


def test_without_the_extra_the_error_names_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "obstore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(UsageError, match="needs") as refused:
        open_bucket(parse_remote("s3://bucket/docs.jsonl"))
    assert refused.value.hint == "pip install 'llmbatch[cloud]'"


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "AWS_CA_BUNDLE"])
def test_a_custom_ca_bundle_is_used_for_the_store(
    tmp_path: Path, certificate: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    with serving(lambda asked: ranged(BODY, asked, version("1")), tls) as server:
        with pytest.raises(UsageError, match="certificate is not trusted") as refused:
            fetch(server, tmp_path / "spool", monkeypatch)
        assert "SSL_CERT_FILE" in (refused.value.hint or "")
        monkeypatch.setenv(variable, str(certificate))
        fetch(server, tmp_path / "spool", monkeypatch)
    assert (tmp_path / "spool").read_bytes() == BODY


@pytest.mark.parametrize(("name", "message"), [("none.pem", "No such file"), ("empty.pem", "no certificate")])
def test_an_invalid_ca_bundle_is_refused(
    tmp_path: Path, name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.pem").write_text("nothing\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / name))
    with pytest.raises(UsageError, match=f"cannot be read.*{message}"):
        open_bucket(parse_remote("s3://bucket/docs.jsonl"))
