"""Counts match the provider's own tokenizer, built by its own constructor from its own table."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
import tiktoken
import tiktoken_ext.openai_public  # type: ignore[import-untyped]

from llmbatch.tokens import count_tokens
from llmbatch.tokens.o200k import ranks

MULTILINGUAL = Path(__file__).parent / "data" / "sib200.json"
NAUGHTY = Path(__file__).parents[1] / "readers" / "data" / "naughty_strings" / "blns.json"
TABLE_URL = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
ODD = [
    "<|endoftext|>",
    "before <|endofprompt|> after",
    "<|im_start|>system\n<|im_end|>",
    "\ud800",
    "half \udc00 a pair",
    "\ud83d\ude00",
    "",
    "\0",
]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tiktoken.Encoding:
    """The library's own o200k_base. It checks its table's published hash, and would download it on a mismatch."""
    folder = tmp_path_factory.mktemp("tables")
    lines = (b"%b %d\n" % (base64.b64encode(token), rank) for token, rank in ranks().items())
    (folder / hashlib.sha1(TABLE_URL.encode()).hexdigest()).write_bytes(b"".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
        return tiktoken.Encoding(**tiktoken_ext.openai_public.o200k_base())


def multilingual() -> list[str]:
    by_language = json.loads(MULTILINGUAL.read_text(encoding="utf-8"))
    return [text for texts in by_language.values() for text in texts]


@pytest.mark.parametrize(
    "texts", [multilingual(), json.loads(NAUGHTY.read_bytes()), ODD], ids=["20 languages", "naughty", "odd"]
)
def test_counts_match_the_providers_tokenizer(texts: list[str], reference: tiktoken.Encoding) -> None:
    counts = {text: (count_tokens(text), len(reference.encode(text, disallowed_special=()))) for text in texts}
    assert {text: both for text, both in counts.items() if both[0] != both[1]} == {}
