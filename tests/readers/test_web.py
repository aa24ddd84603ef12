"""Access to web servers: proxies, certificates, and addresses as users write them."""

import ssl
from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.readers.sources.download import Download, download
from llmbatch.readers.sources.remote_address import parse_remote
from llmbatch.readers.sources.web import WebFile
from tests.readers.file_server import Reply, serving


def fetch(url: str, file: Path) -> Download:
    address = parse_remote(url)
    return download(WebFile(address.name, address.url), file, wait=lambda _: None)


@pytest.fixture
def proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_a_proxy_from_the_environment_is_used(tmp_path: Path, proxies: pytest.MonkeyPatch) -> None:
    with serving(lambda _: Reply(b"text\n")) as proxy:
        proxies.setenv("HTTP_PROXY", f"http://ann:hunter2@127.0.0.1:{proxy.port}")
        fetch("http://docs.example/a.jsonl?x=1", tmp_path / "spool")
        assert [asked.path for asked in proxy.asked] == ["http://docs.example/a.jsonl?x=1"]
        assert proxy.asked[0].headers["Proxy-Authorization"] == "Basic YW5uOmh1bnRlcjI="
        with serving(lambda _: Reply(b"here\n")) as server:
            fetch(server.url("/a"), tmp_path / "here")
            fetch(f"http://localhost:{server.port}/a", tmp_path / "there")
        assert len(proxy.asked) == 1


def test_a_proxy_that_requires_a_password_is_a_one_line_error(tmp_path: Path, proxies: pytest.MonkeyPatch) -> None:
    with serving(lambda _: Reply(status=407)) as proxy:
        proxies.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(UsageError, match="proxy authentication required"):
            fetch("http://docs.example/a.jsonl", tmp_path / "spool")


def test_certificates_come_from_the_system_or_an_environment_variable(
    tmp_path: Path, certificate: Path, proxies: pytest.MonkeyPatch
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    with serving(lambda _: Reply(b"text\n"), tls) as server:
        url = server.url("/a.jsonl")
        with pytest.raises(UsageError, match="certificate is not trusted") as refused:
            fetch(url, tmp_path / "spool")
        assert "SSL_CERT_FILE" in (refused.value.hint or "")
        proxies.setenv("SSL_CERT_FILE", str(certificate))
        assert fetch(url, tmp_path / "spool").is_new
        with serving(lambda _: Reply(b"other\n")) as plain:
            server.script = lambda _: Reply(status=302, headers={"Location": plain.url("/b")})
            with pytest.raises(UsageError, match="unencrypted"):
                fetch(url, tmp_path / "other")
            assert plain.asked == []


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/a b.jsonl", "/a%20b.jsonl"),
        ("/caf\u00e9/\u6587.jsonl", "/caf%C3%A9/%E6%96%87.jsonl"),
        ("/a%20b.jsonl#part", "/a%20b.jsonl"),
        ("?q=a b&sig=x%2By%3D", "/?q=a%20b&sig=x%2By%3D"),
        ("/a+b.csv?c=d+e&f[]=1", "/a+b.csv?c=d+e&f[]=1"),
        ("", "/"),
    ],
)
def test_addresses_are_encoded_as_browsers_do(tmp_path: Path, address: str, path: str) -> None:
    with serving(lambda _: Reply(b"text\n")) as server:
        fetch(server.url(address), tmp_path / "spool")
    assert [asked.path for asked in server.asked] == [path]


@pytest.mark.parametrize("url", ["http://no-such-host.invalid/a", "http://[::1/a", "http://host:port/a", "http:///a"])
def test_an_invalid_address_is_a_one_line_error(tmp_path: Path, url: str, proxies: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    with pytest.raises(UsageError):
        fetch(url, tmp_path / "spool")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://ann:pw@host/a.csv", "https://host/a.csv"),
        ("HTTPS://Host/a.csv?page=2#x", "https://Host/a.csv?page=2"),
        (
            "https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Signature=2&versionId=3",
            "https://b.s3.amazonaws.com/k?versionId=3",
        ),
        ("https://b/k?AWSAccessKeyId=1&Signature=2&Expires=3", "https://b/k"),
        ("https://a.blob.core.windows.net/c/k?sv=1&sr=b&sig=2&se=3&sp=r", "https://a.blob.core.windows.net/c/k"),
        ("https://host/a?expires=soon&policy=2", "https://host/a?expires=soon&policy=[redacted]"),
        (
            "https://host/a?id=1&access_token=t&api_key=k",
            "https://host/a?id=1&access_token=[redacted]&api_key=[redacted]",
        ),
    ],
)
def test_a_displayed_address_contains_no_credentials(url: str, name: str) -> None:
    assert parse_remote(url).name == name
    assert parse_remote(url).url.partition("?")[2] == url.partition("#")[0].partition("?")[2]
