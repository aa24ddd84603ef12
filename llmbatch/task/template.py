"""The starter task file written by `llmbatch prompt init`."""

import json
from collections.abc import Sequence

from llmbatch.core.errors import UsageError
from llmbatch.task.load import parse_task

_HEAD = """\
# A task for llmbatch: what to label documents with. `llmbatch prompt check FILE` says what is still missing,
# `llmbatch prompt render FILE` shows what is sent.

name = {name}

# What the documents are, what they are labelled for, and what decides where two fit. Sent as it stands.
instructions = \"\"\"
Label each document by what it is mainly about.
Where two labels fit, choose the one that the document's purpose speaks for.
\"\"\"
"""

_LABEL_NOTE = """\
# One section a label. The description says what belongs there, in the words such documents use, and where the
# border to its neighbours is. `aliases` are other spellings of the label that are taken for it in an answer.
"""

_LABEL = """\
[[labels]]
name = {name}
description = ""
# aliases = []
"""

_EXAMPLE_NOTE = """\
# Two to four examples a label, border cases among them: real documents, or ones just like them. `confidence`
# is how sure a careful person would be, 0 to 1. Take the `#` away to use one.
"""

_EXAMPLE = """\
# [[examples]]
# text = \"\"\"...\"\"\"
# label = {name}
# confidence = 0.95
"""

_MODEL = """\
# What to ask of which model, unless the command line says otherwise.
# [model]
# name = "..."
# review_below = 0.5
"""


def task_template(name: str, labels: Sequence[str]) -> str:
    """A task file to fill in: TOML with comments that loads without changes.

    Args:
        name: the task's name.
        labels: at least two, distinct even without regard to case and surrounding space.

    Raises:
        UsageError: the name or a label is invalid.
    """
    quoted = [toml_string(label) for label in labels]
    sections = [
        _HEAD.format(name=toml_string(name)),
        _LABEL_NOTE + "\n" + "\n".join(_LABEL.format(name=label) for label in quoted),
        _EXAMPLE_NOTE + "\n" + "\n".join(_EXAMPLE.format(name=label) for label in quoted),
        _MODEL,
    ]
    text = "\n".join(sections)
    parse_task(text, "the new task file")
    return text


def toml_string(text: str) -> str:
    """`text` as a TOML basic string. Its escapes are JSON's, except that TOML also requires DEL to be escaped.

    Raises:
        UsageError: it is not valid Unicode.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{text!r} is not valid Unicode text") from None
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
