"""Secrets are removed from messages, even if a server echoes them."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.redact import Redactor

KEY = "0a1b/2c3d+4e5f==6a7b8c9d0e1f2a3b"  # no recognizable format


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abcdefgh1234. You can find it...",
        "Incorrect API key provided: sk-abc***wxyz.",
        "Incorrect API key provided: abc*****wxyz.",
        "header Authorization: Bearer my.secret-token",
        "header Authorization: Basic c2VjcmV0LXRva2Vu",
        "proxy http://user:secret-token@proxy:3128",
        "https://secret-token@host/file",
        "postgresql://app:secret-token@host/db",
        "postgresql:///db?user=app&password=secret-token&sslmode=require",
        "https://host/docs?v=2&token=secret-token",
        "https://account.blob.core.windows.net/c/docs?sv=2024&sig=secret-token%3D&se=2026",
        "https://bucket.s3.amazonaws.com/docs?X-Amz-Credential=hunter2&amp;X-Amz-Signature=secret-token",
        "https://host/docs;apiKey=secret-token#top",
        "the key is sk-sp-ABCDEFGH1234567890.abcdefgh1234567890_wxyz",
        "the key is hunter2-hunter2",
        "the key begins with hunter2-hu and so on",
    ],
)
def test_keys_are_removed(text: str) -> None:
    shown = Redactor(("hunter2-hunter2",))(text)
    assert "[redacted]" in shown
    assert not any(secret in shown for secret in ("abcdefgh", "wxyz", "secret-token", "c2Vj", "hunter2"))


@pytest.mark.parametrize(
    "written",
    [
        KEY,
        quote(KEY, safe=""),
        quote(quote(KEY, safe=""), safe=""),
        KEY.replace("/", r"\/"),
        json.dumps(json.dumps(KEY.replace("/", r"\/"))),
        "".join(f"\\u{ord(c):04x}" for c in KEY),
        "".join(f"\\u{ord(c):04X}" if n % 3 else c for n, c in enumerate(KEY)),
        base64.b64encode(KEY.encode()).decode(),
    ],
)
def test_a_key_is_found_in_any_encoding(written: str) -> None:
    shown = Redactor((KEY,)).hide(f"before {written} after")
    assert shown.startswith("before ")
    assert shown.rstrip("=").endswith(" after")
    assert "[redacted]" in shown
    assert len(shown) < len("before [redacted] after") + 10


@given(st.text(alphabet="0a1b/2c3d+4e5f=", max_size=60), st.integers(0, len(KEY) - 8), st.integers(8, len(KEY)))
def test_no_eight_consecutive_characters_of_a_key_remain_in_a_message(around: str, start: int, length: int) -> None:
    shown = Redactor((KEY,))(f"{around}{KEY[start : start + length]}{around}", longest=10_000)
    assert not [piece for at in range(len(KEY) - 7) if (piece := KEY[at : at + 8]) in shown]


def test_text_without_a_secret_is_left_unchanged() -> None:
    redact = Redactor(("my-business-key",))
    assert redact.hide("sk-learn-question about business ***") == "sk-learn-question about business ***"
    assert redact.hide("my-business-key") == "[redacted]"
    assert redact.mask("https://api-inference.example.co/v1") == "https://api-inference.example.co/v1"
    assert redact.mask("postgresql://app@host/db?sslmode=require") == "postgresql://app@host/db?sslmode=require"
    assert redact.mask("unsupported api_version") == "unsupported api_version"


@pytest.mark.parametrize(
    "key",
    [
        *("", " ", "a", "test", "none", "offline", "sk-test", "1234567"),
        *("placeholder", "YOUR_API_KEY", "<your-api-key>", "sk-no-key-required", "lm-studio", "none-needed"),
        *("sk-xxxxxxxxxxxxxxxx", "00000000000", "********"),
    ],
)
def test_short_and_placeholder_keys_are_not_treated_as_secrets(key: str) -> None:
    text = f"an answer that holds {key} online, offline, none tested"
    redact = Redactor((key, "hunter2-hunter2"))
    assert redact.hide(text) == text
    assert redact.hide("hunter2-hunter2") == "[redacted]"


@pytest.mark.parametrize("endless", ["x", "\\", "%25", "eyJ-", "sk-", "*", "://", KEY[:9] + " "])
def test_a_very_long_message_is_truncated_quickly(endless: str) -> None:
    assert len(Redactor((KEY,))(endless * 300_000)) <= 500
    Redactor((KEY,)).hide(endless * 100_000)
