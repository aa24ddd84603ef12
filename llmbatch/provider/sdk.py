"""Loads the OpenAI SDK without its answer types, which it would otherwise load eagerly.

`import openai` imports some 460 modules of request and answer types, half of its second and a fifth of its memory. The
requests here are prebuilt bytes and their answers are decoded elsewhere, so none of these types is needed. Importing
the packages below `openai.types` is therefore deferred: each is imported as usual when a name in it is first looked up.
Other users of the SDK in the process see no difference.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_PUT_OFF = "openai.types"


def load_sdk() -> None:
    """Import `openai` with its types deferred. Does nothing if it is already loaded."""
    if "openai" in sys.modules:
        return
    with _types_put_off():
        import openai  # noqa: F401, PLC0415 - imported to load it


@contextmanager
def _types_put_off() -> Iterator[None]:
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    """Finds the packages to defer; leaves all other modules to the regular finders."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _PUT_OFF and not fullname.startswith(f"{_PUT_OFF}."):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None or spec.submodule_search_locations is None:
            return spec
        spec.loader = _OnDemand(spec.loader)
        return spec


class _OnDemand(Loader):
    """Runs a package's own code when a missing name is looked up (PEP 562)."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def exec_module(self, module: ModuleType) -> None:
        def load(name: str) -> Any:
            module.__dict__.pop("__getattr__", None)
            self._loader.exec_module(module)
            return getattr(module, name)

        module.__dict__["__getattr__"] = load
