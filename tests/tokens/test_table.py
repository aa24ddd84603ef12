"""The bundled table is the published one, in another format."""

import base64
import hashlib

from llmbatch.tokens.o200k import ranks

PUBLISHED_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
"""The hash of o200k_base.tiktoken that tiktoken checks after a download (tiktoken_ext/openai_public.py)."""


def test_the_table_matches_the_published_one() -> None:
    lines = (b"%b %d\n" % (base64.b64encode(token), rank) for token, rank in ranks().items())
    assert hashlib.sha256(b"".join(lines)).hexdigest() == PUBLISHED_SHA256
