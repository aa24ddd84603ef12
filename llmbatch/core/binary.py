"""Bytes where only text can stand."""

import base64


def text_or_base64(raw: bytes) -> str:
    """Text where it is UTF-8, as older programs write text, else Base64."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode()
