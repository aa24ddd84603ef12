"""The o200k_base encoding: the provider's own tokenizer library, with its table shipped beside this file.

tiktoken downloads its tables at first use, which fails on a machine without network. The table here is
the published one, compressed; its SHA-256 is the one that tiktoken itself expects, and is checked at loading.
"""

import base64
import hashlib
import lzma
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

# tiktoken_ext/openai_public.py, o200k_base(): the table's hash, the splitting pattern, the special tokens.
_TABLE_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
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


def count_tokens(text: str) -> int:
    """Number of tokens of `text` in o200k_base, the encoding of OpenAI's models since GPT-4o.

    A special token's spelling in the text counts as plain text, which is how the API treats documents. Lone
    surrogates count as the replacement character. The first call loads the table (about 0.3 s, 80 MB).
    """
    return len(_encoding().encode_ordinary(text))


@cache
def _encoding() -> "Encoding":
    from tiktoken import Encoding  # noqa: PLC0415 - heavy, and not every command counts tokens

    table = lzma.decompress(files(__package__).joinpath("o200k_base.tiktoken.xz").read_bytes())
    digest = hashlib.sha256(table).hexdigest()
    if digest != _TABLE_SHA256:
        raise RuntimeError(f"the token table is damaged: SHA-256 {digest}, expected {_TABLE_SHA256}")
    pairs = (line.split() for line in table.splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in pairs}
    return Encoding("o200k_base", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens=_SPECIAL_TOKENS)
