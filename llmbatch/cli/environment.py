"""Prepares the program's environment before anything uses it."""

import os
import re
import sys

_SIZE = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
"""Columns or lines of a terminal."""


def prepare_environment() -> None:
    """Drop variables without a usable value, so that what they would set is determined in other ways.

    A terminal knows its size, and the user database contains a home if `HOME` is empty.
    """
    _restart_in_utf8()
    for name in ("COLUMNS", "LINES"):
        if not _SIZE.fullmatch(os.environ.get(name, "")):
            os.environ.pop(name, None)
    if not os.environ.get("HOME"):
        os.environ.pop("HOME", None)


def _restart_in_utf8() -> None:
    """Restart the program in Python's UTF-8 mode if the locale supports only ASCII.

    Python uses that mode automatically in the locales C and POSIX, unless `PYTHONUTF8=0` forbids it. In that case,
    labels and field names on the command line would not match those in files, which are UTF-8.
    """
    if sys.getfilesystemencoding() == "ascii" and "utf8" not in sys._xoptions:  # noqa: SLF001 - documented for CPython
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - no shell is needed
