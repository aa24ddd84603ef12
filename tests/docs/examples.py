"""The examples of a documentation page: fenced blocks of `sh` and `python`, which readers copy and tests run.

A `text` block right after an `sh` block is its output; `...` matches anything. Commands that cannot be run here (they
install, ask for input, or need an account) are in `console` blocks.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ANY_BLOCK = re.compile(r"^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(
    r"^```(?P<language>sh|python)\n(?P<code>.*?)^```\n(?:\n^```text\n(?P<output>.*?)^```$)?", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Example:
    """One block."""

    line: int
    language: str
    code: str
    output: str | None

    def is_printed_by(self, printed: str) -> bool:
        """Whether the printed text matches the block's output."""
        if self.output is None:
            return True
        pattern = ".*".join(re.escape(part) for part in self.output.strip().split("..."))
        return re.fullmatch(pattern, printed.strip()) is not None


def examples(page: Path) -> Iterator[Example]:
    """The page's examples, in order."""
    text = page.read_text()
    for block in _BLOCK.finditer(text):
        yield Example(text[: block.start()].count("\n") + 1, block["language"], block["code"], block["output"])


def block_of(page: Path, number: int) -> str:
    """The content of a page's n-th block of any language, counted from 1."""
    blocks: list[str] = _ANY_BLOCK.findall(page.read_text())
    return blocks[number - 1]
