"""What `--version` prints."""

import platform
from importlib.metadata import PackageNotFoundError, version

import llmbatch

PACKAGES = (
    "openai",
    "httpx2",
    "httpx",
    "aiohttp",
    "pydantic",
    "msgspec",
    "orjson",
    "tiktoken",
    "genai-prices",
    "tenacity",
    "typer",
    "rich",
    "uvloop",
    "textual",
    "jinja2",
    "numpy",
    "scipy",
    "scikit-learn",
    "opentelemetry-sdk",
)
"""Packages whose versions decide what llmbatch does: what it depends on, and what its extras bring."""


def version_line() -> str:
    """The version, as people read it."""
    return f"llmbatch {llmbatch.__version__}"


def version_report() -> dict[str, str]:
    """The versions that a bug report needs, by name: llmbatch, Python, the system, and the packages installed."""
    packages = {name: found for name in PACKAGES if (found := _installed(name)) is not None}
    return {
        "llmbatch": llmbatch.__version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        **packages,
    }


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
