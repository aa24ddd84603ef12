"""When a model will be shut down, according to the installed SDK.

The SDK's list of models (`openai/types/shared/chat_model.py`) carries OpenAI's announcements in its documentation. It
is read as text: importing it takes a second, and Python discards such text at run time.
"""

import re
from datetime import date
from importlib.util import find_spec
from pathlib import Path

_LIST = Path("types", "shared", "chat_model.py")
_ENTRY = re.compile(r'^- (?P<names>"[^:]*):\s+Announced\s+shutdown\s+date:\s+(?P<date>\d{4}-\d\d-\d\d)', re.MULTILINE)


def shutdown_date(model: str) -> date | None:
    """The announced shutdown date, or None if unknown."""
    bare = model.rsplit("/", 1)[-1].lower()
    for entry in _ENTRY.finditer(_announcements()):
        if f'"{bare}"' in entry["names"]:
            return date.fromisoformat(entry["date"])
    return None


def _announcements() -> str:
    package = find_spec("openai")
    folders = (package.submodule_search_locations or ()) if package is not None else ()
    files = [Path(folder) / _LIST for folder in folders]
    text = next((file.read_text(encoding="utf-8") for file in files if file.is_file()), "")
    return text.partition("Deprecated values:")[2]
