"""The o200k_base encoding: the provider's own tokenizer library, with its table bundled next to this file.

tiktoken downloads its tables at first use, which fails on a machine without network. The table here is the published
one in a form that loads ten times as fast: the length of each token in its rank's order, one byte each, then the
tokens themselves, compressed. What it unpacks to is checked by its SHA-256.
"""

import hashlib
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from struct import unpack_from
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

TABLE_SHA256 = "440741350e7cfa1c0f4869ce742d1b043550adbda5187adcac9e787edac6fba9"
"""Of the unpacked table. It changes whenever counts could."""

_RANKS = 199_998

# tiktoken_ext/openai_public.py, o200k_base(): the splitting pattern, the special tokens.
_PATTERN = "|".join(  # noqa: FLY002 - one alternative a line, as the source has it
    (
        r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
        r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
        r"""\p{N}{1,3}""",
        r""" ?[^\s\p{L}\p{N}]+[\r\n/]*""",
        r"""\s*[\r\n]+""",
        r"""\s+(?!\S)""",
        r"""\s+""",
    )
)
_SPECIAL_TOKENS = {"<|endoftext|>": 199999, "<|endofprompt|>": 200018}


# The library's pattern matcher overflows its stack, and ends the process, on some 300,000 spaces in a row.
_BLOCK_CHARACTERS = 20_000
# No token of the splitting pattern continues past a letter or digit that white space follows.
_BORDER = re.compile(r"[^\W_](?=\s)")


def count_tokens(text: str) -> int:
    """Number of tokens of `text` in o200k_base, the encoding of OpenAI's models since GPT-4o.

    A special token's spelling in the text counts as plain text, which is how the API treats documents. Lone
    surrogates count as the replacement character. The first call loads the table (0.2 s, 80 MB). Takes about a
    second a megabyte and lets other threads run meanwhile.
    """
    encoding = _encoding()
    return sum(len(encoding.encode_ordinary(block)) for block in _blocks(text))


def token_ids(text: str) -> list[int]:
    """The tokens of `text` by their ranks; as many as `count_tokens` counts, and as slow."""
    encoding = _encoding()
    return [token for block in _blocks(text) for token in encoding.encode_ordinary(block)]


def token_bytes(text: str) -> Iterator[bytes]:
    """The UTF-8 of each token of `text`, lazily; a token can be a part of a character."""
    encoding = _encoding()
    for block in _blocks(text):
        yield from encoding.decode_tokens_bytes(encoding.encode_ordinary(block))


@contextmanager
def table_given_up() -> Iterator[None]:
    """Unload the table when the block ends, unless it was already loaded: it takes 80 MB."""
    was_loaded = _encoding.cache_info().currsize > 0
    yield
    if not was_loaded:
        _encoding.cache_clear()


def _blocks(text: str) -> Iterator[str]:
    """The text in pieces whose tokens are the text's, but for a token or two where a whole block has no border."""
    start = 0
    while len(text) - start > _BLOCK_CHARACTERS:
        block = text[start : start + _BLOCK_CHARACTERS]
        end = max((border.end() for border in _BORDER.finditer(block, _BLOCK_CHARACTERS // 2)), default=len(block))
        yield block[:end]
        start += end
    yield text[start:]


def ranks() -> dict[bytes, int]:
    """The table: each token's bytes and its rank.

    Raises:
        RuntimeError: the file is damaged.
    """
    table = zlib.decompress(files(__package__).joinpath("o200k_base.bin.z").read_bytes())
    digest = hashlib.sha256(table).hexdigest()
    if digest != TABLE_SHA256:
        raise RuntimeError(f"the token table is damaged: SHA-256 {digest}, expected {TABLE_SHA256}")
    fields = [f"{size}s" for size in range(256)]
    tokens = unpack_from("".join(map(fields.__getitem__, table[:_RANKS])), table, _RANKS)
    return dict(zip(tokens, range(_RANKS), strict=True))


@cache
def _encoding() -> "Encoding":
    from tiktoken import Encoding  # noqa: PLC0415 - heavy, and not every command counts tokens

    return Encoding("o200k_base", pat_str=_PATTERN, mergeable_ranks=ranks(), special_tokens=_SPECIAL_TOKENS)
