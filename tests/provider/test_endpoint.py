"""Where the key may be sent without encryption: this machine, and with a warning the user's own network."""

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.hosts import Reach, reach_of
from llmbatch.provider.client import resolve_endpoint

LOOPBACK = ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.8.9.1", "[::1]", "[::ffff:127.0.0.1]"]
PRIVATE = [
    *("10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "169.254.1.1", "0.0.0.0"),
    *("[fd00::1]", "[fe80::1%25eth0]", "[::ffff:10.0.0.1]"),
    *("vllm", "gpu.local", "litellm.internal", "box.lan", "nas.home.arpa", "gpu.local."),
]
PUBLIC = [
    *("127.evil.com", "127.0.0.1.evil.com", "localhost.evil.com", "evil.com", "10.evil.com", "xlocalhost.com"),
    *("8.8.8.8", "172.32.0.1", "192.0.2.1", "[2001:4860:4860::8888]", "[::ffff:8.8.8.8]"),
    *("134744072", "0x08080808", "127.1", "8.2056", "0177.0.0.1", "evil.com.", "fd00.com", "internal.evil.com"),
]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0a1b2c3d4e5f")


@pytest.mark.parametrize("host", LOOPBACK)
def test_only_localhost_and_loopback_addresses_are_this_machine(host: str) -> None:
    endpoint = resolve_endpoint(f"http://{host}:8000/v1", None, model="m")
    assert (endpoint.on_loopback, endpoint.in_the_clear) == (True, False)


@pytest.mark.parametrize("host", PRIVATE)
def test_a_private_network_gets_the_key_with_a_warning(host: str) -> None:
    assert reach_of(f"http://{host}/v1") is Reach.PRIVATE
    endpoint = resolve_endpoint(f"http://{host}:8000/v1", None, model="m")
    assert (endpoint.on_loopback, endpoint.in_the_clear) == (False, True)


@pytest.mark.parametrize("host", PUBLIC)
def test_a_public_host_gets_the_key_only_on_request(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://{host}:8000/v1"
    with pytest.raises(UsageError, match="unencrypted") as refused:
        resolve_endpoint(url, None, model="m")
    assert "--insecure-http" in (refused.value.hint or "")
    assert resolve_endpoint(url, None, model="m", insecure_http=True).in_the_clear
    assert not resolve_endpoint(f"https://{host}/v1", None, model="m").in_the_clear
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    with pytest.raises(UsageError, match="unencrypted"):
        resolve_endpoint(None, None, model="m")


def test_a_public_host_that_looks_like_loopback_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert resolve_endpoint("http://127.0.0.1/v1", None, model="m").on_loopback
    with pytest.raises(UsageError, match="no API key"):
        resolve_endpoint("https://127.evil.com/v1", None, model="m")
