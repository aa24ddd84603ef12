"""No secret leaves, also where a server echoes it."""

import pytest

from llmbatch.redact import Redactor


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abcdefgh1234. You can find it...",
        "Incorrect API key provided: sk-abc***wxyz.",
        "header Authorization: Bearer my.secret-token",
        "the key is hunter2-hunter2",
    ],
)
def test_keys_are_taken_out(text: str) -> None:
    shown = Redactor(("hunter2-hunter2",))(text)
    assert "[redacted]" in shown
    assert not any(secret in shown for secret in ("abcdefgh", "wxyz", "secret-token", "hunter2"))


def test_an_endless_message_is_cut() -> None:
    assert len(Redactor()("x" * 10_000)) == 500
