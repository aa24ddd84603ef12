"""A real Ray cluster labels a dataset; workers and drivers are killed, and the endpoint counts requests."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from llmbatch.runs.ledger.lock import is_locked
from tests.e2e.conftest import StartEndpoint, endpoint, endpoints
from tests.e2e.program import REPOSITORY, Endpoint, accounted, documents, environment, ledger_lines

__all__ = ["endpoint", "endpoints"]

PYTHON = os.environ.get("LLMBATCH_REAL_ENGINES") or (sys.executable if find_spec("ray") else None)
pytestmark = [pytest.mark.skipif(not PYTHON, reason="make real runs it"), pytest.mark.timeout(300)]
COUNT = 400
PRICE = "1,1,5"


class Cluster:
    """Runs the script repeatedly with the same documents."""

    def __init__(self, folder: Path, workers: int) -> None:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415

        self.run = folder / "docs.llmbatch"
        self._documents, self._workers = folder / "docs.parquet", workers
        parquet.write_table(pa.Table.from_pylist(documents(COUNT)), self._documents)

    @property
    def shards(self) -> list[Path]:
        return [self.run / f"shard-{number}-of-{self._workers}" for number in range(1, self._workers + 1)]

    def start(self, server: Endpoint, **options: Any) -> "subprocess.Popen[str]":
        given = {"out": str(self.run), "base_url": server.url, "price": PRICE, **options}
        script = Path(__file__).with_name("label_on_ray.py")
        env = environment(PYTHONPATH=str(REPOSITORY), OPENAI_API_KEY="sk-offline", RAY_AUTH_MODE="disabled")
        return subprocess.Popen(
            [str(PYTHON), str(script), str(self._documents), str(self._workers), json.dumps(given)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
        )  # fmt: skip

    def label(self, server: Endpoint, **options: Any) -> dict[str, Any]:
        return self.ended(self.start(server, **options))

    def ended(self, process: "subprocess.Popen[str]") -> dict[str, Any]:
        out, err = process.communicate()
        lines = [line for line in out.splitlines() if line.startswith("{")]
        assert lines, err
        result: dict[str, Any] = json.loads(lines[-1])
        return result

    def running(self) -> Path | None:
        """A shard in progress."""
        return next((shard for shard in self.shards if is_locked(shard) and ledger_lines(shard) >= 8), None)

    def kill_worker(self, shard: Path) -> None:
        (process,) = re.findall(r"process ([0-9]+)", (shard / ".lock").read_text())
        os.kill(int(process), signal.SIGKILL)

    def possibly_billed(self) -> int:
        record = json.loads((self.run / "run.json").read_text())
        return sum(session["requests"] for session in record["possibly_billed"].values())


@pytest.fixture(params=[2, 4])
def cluster(tmp_path: Path, request: pytest.FixtureRequest) -> Cluster:
    return Cluster(tmp_path, request.param)


def test_killed_workers_and_drivers_pay_twice_only_for_requests_in_flight(
    cluster: Cluster, endpoint: StartEndpoint
) -> None:
    server = endpoint("--latency", "0.5")
    options = {"concurrency": 8, "max_cost": 5}
    driver = cluster.start(server, **options)
    wait_until(lambda: cluster.running() is not None, driver)
    killed = cluster.running() or cluster.shards[0]
    cluster.kill_worker(killed)
    lines = ledger_lines(killed)
    wait_until(lambda: ledger_lines(killed) > lines + 8, driver)
    driver.kill()
    driver.communicate()
    done = cluster.label(server, **options)
    assert (done["code"], sorted(done["rows"]), done["statuses"]) == (0, list(range(COUNT)), {"ok": COUNT}), done
    assert accounted(cluster.run) == list(range(COUNT))
    assert done["columns"] == ["category", "confidence", "error", "id", "row", "status"]
    twice = server.requests - COUNT
    assert 0 < twice <= cluster.possibly_billed() <= 8 * (len(cluster.shards) + 1)
    assert cluster.label(server, **options)["code"] == 0
    assert server.requests == COUNT + twice, "nothing is left to send"


def test_ctrl_c_stops_all_workers_cleanly(tmp_path: Path, endpoint: StartEndpoint) -> None:
    cluster, server = Cluster(tmp_path, 2), endpoint("--latency", "0.3")
    driver = cluster.start(server, concurrency=8)
    wait_until(lambda: all(ledger_lines(shard) >= 8 for shard in cluster.shards), driver)
    driver.send_signal(signal.SIGINT)
    _, err = driver.communicate()
    assert (driver.returncode != 0, "KeyboardInterrupt" in err) == (True, True), err
    assert server.requests == sum(map(ledger_lines, cluster.shards)) < COUNT, "each request has its answer"
    assert cluster.label(server)["code"] == 0
    assert (server.requests, cluster.possibly_billed()) == (COUNT, 0)


def wait_until(condition: Callable[[], bool], driver: "subprocess.Popen[str]") -> None:
    """Wait for a condition; a cluster takes half a minute to start on a busy machine."""
    deadline = time.monotonic() + 240
    while not condition():
        assert driver.poll() is None, driver.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def billed_usd(server: Endpoint) -> float:
    stats = server.stats
    return (int(stats["prompt_tokens"]) + 5 * int(stats["completion_tokens"])) / 1e6


def test_a_budget_holds_for_all_workers_together(cluster: Cluster, endpoint: StartEndpoint) -> None:
    server, cap_usd = endpoint("--latency", "0.3"), 0.3
    driver = cluster.start(server, max_cost=cap_usd, concurrency=8)
    wait_until(lambda: cluster.running() is not None, driver)
    cluster.kill_worker(cluster.running() or cluster.shards[0])
    reached = cluster.ended(driver)
    assert (reached["code"], "--max-cost" in reached["message"]) == (5, True), reached
    assert cap_usd * 0.7 < billed_usd(server) <= cap_usd
    sent = server.requests
    assert cluster.label(server, max_cost=cap_usd)["code"] == 5
    assert billed_usd(server) <= cap_usd
    assert server.requests - sent <= len(cluster.shards), "little budget was left"


def test_a_rejected_key_ends_the_job_and_rejected_rows_fail(tmp_path: Path, endpoint: StartEndpoint) -> None:
    cluster, server = Cluster(tmp_path, 2), endpoint("--api-key", "sk-offline", "--fault", "context_length@5,6,7")
    refused = cluster.label(endpoint("--api-key", "sk-other"))
    assert (refused["code"], "sk-off" in refused["message"]) == (4, False), refused
    done = cluster.label(server)
    assert (done["code"], done["statuses"]) == (0, {"ok": COUNT - 3, "failed": 3}), done


def test_a_stated_limit_is_shared_by_all_workers(tmp_path: Path, endpoint: StartEndpoint) -> None:
    cluster, server = Cluster(tmp_path, 4), endpoint("--rpm", "1500")
    done = cluster.label(server, rate_store=str(tmp_path / "rates.sqlite3"))
    assert (done["code"], done["statuses"]) == (0, {"ok": COUNT}), done
    assert server.stats["statuses"].get("429", 0) <= COUNT * 0.01
