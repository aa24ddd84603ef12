"""What a run works out only for those who watch it."""

from pathlib import Path

import pytest

from llmbatch.observe.observer import Observer
from llmbatch.observe.progress import Progress
from llmbatch.telemetry.watch import WatchOptions, watch


class Bar(Observer):
    """Shows progress and nothing else."""

    def update(self, progress: Progress) -> None:
        """Show it."""


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
def test_a_quiet_run_is_watched_where_something_records_or_shows_it(
    options: WatchOptions, *, is_watching: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with watch(options) as observer:
        assert observer.is_watching == is_watching
