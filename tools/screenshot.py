"""The picture of a run at the top of the README: `python -m tools.screenshot`.

Runs the program in a terminal of its own, against the offline endpoint, and draws what that terminal shows at the end.
"""

import re
import shutil
import sys
import tempfile
from io import StringIO
from pathlib import Path

import pexpect  # type: ignore[import-untyped]
from rich.console import Console
from rich.text import Text

_ROOT = Path(__file__).parents[1]
_PICTURE = _ROOT / "docs" / "images" / "classify.svg"
_COMMAND = "llmbatch classify docs.jsonl --offline --sample 5%"
_WIDTH, _HEIGHT = 96, 60
_TOKEN = re.compile(
    r"\x1b\[(?P<up>\d*)A|(?P<erase>\x1b\[2K)|\x1b\[\?25[lh]|(?P<text>\x1b\[[\d;]*m|[^\x1b\r\n]+)|(?P<feed>\n)|\r"
)
_REMOTE_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def output_of(command: str) -> str:
    """All that a command writes to a terminal, in a folder with the sample documents."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(_ROOT / "sample_data" / "docs.jsonl", folder)
        environment = {"PATH": str(Path(sys.executable).parent), "TERM": "xterm-256color", "HOME": folder}
        terminal = pexpect.spawn(command, cwd=folder, env=environment, dimensions=(_HEIGHT, _WIDTH), encoding="utf-8")
        terminal.expect(pexpect.EOF)
        return str(terminal.before)


def shown(output: str) -> list[str]:
    """The lines that a terminal shows after this output, with their colours. Knows what a progress display sends."""
    lines, row = [""], 0
    for token in _TOKEN.finditer(output):
        if token["erase"]:
            lines[row] = ""
        elif token["text"]:
            lines[row] += token["text"]
        elif token["feed"]:
            row += 1
            lines[row:] = lines[row:] or [""]
        elif token["up"] is not None:
            row -= int(token["up"] or 1)
    return lines


def drawn(lines: list[str]) -> str:
    """An SVG of these lines, without fonts from the web."""
    console = Console(record=True, width=_WIDTH, file=StringIO(), force_terminal=True)
    for line in lines:
        console.print(Text.from_ansi(line))
    return _REMOTE_FONTS.sub("", console.export_svg(title="llmbatch"))


if __name__ == "__main__":
    _PICTURE.parent.mkdir(exist_ok=True)
    _PICTURE.write_text(drawn([f"\x1b[1m$ {_COMMAND}\x1b[0m", *shown(output_of(_COMMAND))]).rstrip() + "\n")
