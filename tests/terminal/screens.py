"""Commands on a real terminal of a given size."""

import errno
import fcntl
import os
import re
import struct
import termios
import threading

from tests.e2e.program import Program

_PARTS = re.compile(r"\x1b\[(?P<count>[0-9;?]*)(?P<code>[a-zA-Z])|(?P<control>[\r\n])|(?P<text>[^\x1b\r\n]+)")


def on_a_terminal(program: Program, *arguments: str, width: int, height: int = 24, **env: str) -> list[str]:
    """The lines that a command leaves on a terminal, including those scrolled away, without styles."""
    terminal, side = os.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    shown: list[bytes] = []
    reader = threading.Thread(target=_read, args=(terminal, shown))
    reader.start()
    program.onto((side, side, side), *arguments, **env, TERM="xterm")
    os.close(side)
    reader.join()
    os.close(terminal)
    return left_by(b"".join(shown).decode(), width)


def _read(terminal: int, shown: list[bytes]) -> None:
    try:
        while block := os.read(terminal, 1 << 16):
            shown.append(block)
    except OSError as error:  # Linux raises it once the other side is closed
        if error.errno != errno.EIO:
            raise


def left_by(written: str, width: int) -> list[str]:
    """What a terminal shows at the end: displays replaced in place are gone, long lines are wrapped."""
    lines, at = [""], 0
    for part in _PARTS.finditer(written):
        if part["code"] == "A":
            at = max(at - int(part["count"] or 1), 0)
        elif part["code"] == "K":
            lines[at] = ""
        elif part["control"] == "\n":
            at += 1
            lines += [""] * (at + 1 - len(lines))
        elif part["text"]:
            text = lines[at] + part["text"]
            lines[at : at + 1] = [text[start : start + width] for start in range(0, len(text), width)]
            at += (len(text) - 1) // width
    while lines and not lines[-1]:
        lines.pop()
    return lines
