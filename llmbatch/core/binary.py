"""Bytes in places that hold only text."""

import base64


def text_or_base64(raw: bytes) -> str:
    """Decode as text if it is UTF-8, since older programs write text as bytes; else encode as Base64."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode()
