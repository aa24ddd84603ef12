"""Commands on a real terminal of a given size."""

import errno
import fcntl
import os
import re
import struct
import termios
import threading

from tests.e2e.program import Program

_STYLES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def on_a_terminal(program: Program, *arguments: str, width: int, height: int = 24) -> list[str]:
    """The lines that a command leaves on a terminal, without their styles."""
    terminal, side = os.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    shown: list[bytes] = []
    reader = threading.Thread(target=_read, args=(terminal, shown))
    reader.start()
    program.onto((side, side, side), *arguments, TERM="xterm")
    os.close(side)
    reader.join()
    os.close(terminal)
    return _STYLES.sub("", b"".join(shown).decode()).replace("\r\n", "\n").splitlines()


def _read(terminal: int, shown: list[bytes]) -> None:
    try:
        while block := os.read(terminal, 1 << 16):
            shown.append(block)
    except OSError as error:  # what Linux says once the other side is closed
        if error.errno != errno.EIO:
            raise
