"""What all pages share: each is one file, fetches nothing, and runs only its own script.

All external text is escaped by the template engine or embedded in a JSON block that it cannot end early. The
Content-Security-Policy allows only the page's own style and script, by their hashes.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

import llmbatch
from llmbatch.core.errors import UsageError
from llmbatch.core.files import replacing

_JOINT = re.compile(r"(?<=\w)([_/.:=→-]+)(?=[\w ])")
"""Characters after which a long name may wrap, so that it does not wrap mid-word."""


def write_html(path: Path, html: str) -> None:
    """Write a page atomically, readable only by its owner, since it may contain document texts.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        with replacing(path) as file:
            file.write(html.encode("utf-8", "replace"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None


def rendered(template: str, *, script: str | None = None, **values: Any) -> str:
    """Render a page's HTML.

    Args:
        template: the template's file name in `assets`.
        script: the script's file name in `assets`.
        values: the template's variables.
    """
    style, run = _asset("page.css"), None if script is None else _asset(script)
    allowed = "none" if run is None else run.hash
    return _page(template).render(
        version=llmbatch.__version__,
        style=style.text,
        script=run and run.text,
        policy=(
            f"default-src 'none'; style-src '{style.hash}'; script-src '{allowed}'; base-uri 'none'; form-action 'none'"
        ),
        **values,
    )


@cache
def _page(template: str) -> Template:
    """A template, which is compiled once, however many pages are made of it."""
    environment = Environment(
        loader=PackageLoader("llmbatch.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["soft"] = soft
    return environment.get_template(template)


def soft(name: str) -> Markup:
    """A name, escaped, with line breaks allowed only after joining characters."""
    return Markup(_JOINT.sub(r"\1<wbr>", str(escape(name))))  # noqa: S704 - escaped


def embedded_json(data: Any) -> Markup:
    """Data for a `<script type="application/json">` block: text in it cannot end the block or open a comment."""
    raw = orjson.dumps(data).decode()
    for character in "<>&\u2028\u2029":
        raw = raw.replace(character, f"\\u{ord(character):04x}")
    return Markup(raw)  # noqa: S704 - no HTML syntax is left in it


@dataclass(frozen=True, slots=True)
class _Asset:
    text: Markup
    hash: str


def _asset(name: str) -> _Asset:
    text = resources.files("llmbatch.report").joinpath("assets", name).read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return _Asset(Markup(text), f"sha256-{digest}")  # noqa: S704 - our own file
