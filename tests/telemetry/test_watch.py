"""What a run computes only if an observer uses it."""

from pathlib import Path

import pytest

from llmbatch.observe.observer import Observer
from llmbatch.observe.progress import Progress
from llmbatch.telemetry.watch import WatchOptions, watch


class Bar(Observer):
    """An observer of progress only."""

    def update(self, progress: Progress) -> None:
        """Show nothing."""


@pytest.mark.parametrize(
    ("options", "is_watching"),
    [
        (WatchOptions(), True),
        (WatchOptions(quiet=True), False),
        (WatchOptions(quiet=True, observers=(Observer(),)), False),
        (WatchOptions(quiet=True, observers=(Bar(),)), True),
        (WatchOptions(quiet=True, log_file=Path("run.log")), True),
        (WatchOptions(quiet=True, metrics_file=Path("run.prom")), True),
    ],
)
def test_a_quiet_run_is_watched_if_something_records_or_shows_it(
    options: WatchOptions, *, is_watching: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with watch(options) as observer:
        assert observer.is_watching == is_watching
