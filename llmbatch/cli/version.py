"""What `--version` prints."""

import platform
import re
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version

import llmbatch
from llmbatch.core.plugins import plugin_packages

_HTTP_LIBRARIES = ("httpx2", "httpx")
"""The HTTP clients of the SDK: one or the other is installed."""
_NAME = re.compile(r"[\w.-]+")


def version_line() -> str:
    """The version, for people."""
    return f"llmbatch {llmbatch.__version__}"


def version_report() -> dict[str, str]:
    """The versions that a bug report needs, by name: llmbatch, Python, the system, packages, plug-ins."""
    names = dict.fromkeys((*_dependencies(), *_HTTP_LIBRARIES))
    packages = {name: found for name in names if (found := _installed(name)) is not None}
    return {
        "llmbatch": llmbatch.__version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        **packages,
        **plugin_packages(),
    }


def _dependencies() -> Iterator[str]:
    """The dependencies of llmbatch and its extras, from its own metadata, which a mere source tree does not have."""
    with suppress(PackageNotFoundError):
        for requirement in requires("llmbatch") or ():
            if (name := _NAME.match(requirement)) is not None:
                yield name[0]


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
