"""What surrounds the program, made usable before anything looks at it."""

import os
import re
import sys

_SIZE = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
"""Columns or lines of a terminal."""


def prepare_environment() -> None:
    """Drop variables whose values say nothing, so that what they stand for is found in other ways.

    A terminal has a size of its own, and the user database knows a home where `HOME` is empty.
    """
    _restart_in_utf8()
    for name in ("COLUMNS", "LINES"):
        if not _SIZE.fullmatch(os.environ.get(name, "")):
            os.environ.pop(name, None)
    if not os.environ.get("HOME"):
        os.environ.pop("HOME", None)


def _restart_in_utf8() -> None:
    """Start the program again in Python's UTF-8 mode, where it was started in a locale that has nothing but ASCII.

    Python takes that mode by itself in the locales C and POSIX, unless `PYTHONUTF8=0` forbids it. Labels and names of
    fields on the command line, which are UTF-8 in every file, would not be found then.
    """
    if sys.getfilesystemencoding() == "ascii" and "utf8" not in sys._xoptions:  # noqa: SLF001 - documented for CPython
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - no shell is needed
