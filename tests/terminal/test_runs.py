"""The list of run folders on a terminal."""

import io

import pytest
from rich.console import Console

from llmbatch.observe.listing import RUNNING, ListedRun, Listing
from llmbatch.terminal.runs import screen_of_runs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def nightly_run(number: int) -> ListedRun:
    return ListedRun(
        f"runs/night-{number:02}.llmbatch", "finished", "2026-11-01T01:00:00Z", rows=9, labelled=9, review=2
    )


NOW = ListedRun("runs/now.llmbatch", RUNNING, "2026-11-27T01:00:00Z", rows=60, labelled=4, outcomes=31)
LISTING = Listing((*map(nightly_run, range(40)), NOW), is_whole=True)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (60, 12)])
def test_a_screen_of_runs_ends_with_the_latest(width: int, height: int) -> None:
    console = Console(file=Terminal(), width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(screen_of_runs(LISTING, console))
    shown = captured.get().splitlines()
    assert height - 2 <= len(shown) <= height
    assert "earlier runs, llmbatch runs shows" in shown[0]
    assert "41 runs, 1 running" in " ".join(shown[-2:])
    (latest,) = [line for line in shown if "31 so far" in line]
    assert "runs/now.llm" in latest
