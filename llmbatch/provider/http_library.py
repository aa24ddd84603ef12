"""The HTTP library that the installed SDK is built on: httpx2 since its version 3, httpx before.

Both provide the names used here. Importing this module loads the SDK.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2 as httpx
else:
    from llmbatch.provider.sdk import load_sdk

    load_sdk()
    from openai import __version__

    httpx = import_module("httpx" if __version__.startswith("2.") else "httpx2")

__all__ = ["httpx"]
