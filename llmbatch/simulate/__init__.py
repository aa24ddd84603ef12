"""The offline endpoint: OpenAI's chat-completions protocol on loopback, without a model, with faults on demand.

Self-contained: it depends on the prompt's form and token counts, but not on runs, clients or ledgers. Only the command
line and tests import from here. The server is loaded on first use, so that checking a `--fault` stays cheap.
"""

from typing import TYPE_CHECKING, Any

from llmbatch.simulate.fault import Fault, parse_fault
from llmbatch.simulate.settings import SimulatorSettings

if TYPE_CHECKING:
    from llmbatch.simulate.process import serve
    from llmbatch.simulate.server import Simulator

__all__ = ["Fault", "Simulator", "SimulatorSettings", "parse_fault", "serve"]


def __getattr__(name: str) -> Any:
    """Load aiohttp only if a server is started."""
    if name == "Simulator":
        from llmbatch.simulate.server import Simulator  # noqa: PLC0415 - the point of it

        return Simulator
    if name == "serve":
        from llmbatch.simulate.process import serve  # noqa: PLC0415

        return serve
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
