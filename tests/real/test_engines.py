"""The recipes of docs/how-to/engines.md, run on the real engines."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.e2e.conftest import StartEndpoint, endpoint, endpoints
from tests.e2e.program import REPOSITORY, Endpoint, documents, environment

__all__ = ["endpoint", "endpoints"]

ENGINES = ("ray", "daft", "pyspark")
PYTHON = os.environ.get("LLMBATCH_REAL_ENGINES") or (sys.executable if all(map(find_spec, ENGINES)) else None)
pytestmark = [pytest.mark.skipif(not PYTHON, reason="make real runs it"), pytest.mark.timeout(600)]
RECIPES = re.findall(
    r"^```py\n(.*?)^```", (REPOSITORY / "docs/how-to/engines.md").read_text(), re.MULTILINE | re.DOTALL
)
COUNT = 300


def run(folder: Path, recipe: str, server: Endpoint) -> "subprocess.CompletedProcess[str]":
    script = folder / "recipe.py"
    script.write_text(recipe.replace("/shared/", f"{folder}/").replace("max_cost=5", "max_cost=5, concurrency=8"))
    env = environment(
        PYTHONPATH=str(REPOSITORY), OPENAI_API_KEY="sk-offline", OPENAI_BASE_URL=server.url, RAY_AUTH_MODE="disabled"
    )
    command = [str(PYTHON), str(Path(__file__).with_name("run_recipe.py")), str(script)]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: re.findall(r"ray|batch|daft|spark", recipe)[0])
def test_a_recipe_labels_all_rows_and_pays_for_none_twice(recipe: str, tmp_path: Path, endpoint: StartEndpoint) -> None:
    parquet.write_table(pa.Table.from_pylist(documents(COUNT)), tmp_path / "tickets.parquet")
    poor, rich = endpoint("--fault", "quota@100+", "--latency", "0.02"), endpoint()
    stopped = run(tmp_path, recipe, poor)
    assert stopped.returncode, stopped.stdout
    assert "quota" in stopped.stderr
    done = run(tmp_path, recipe, rich)
    assert not done.returncode, done.stderr
    labels = parquet.read_table(tmp_path / "labels").to_pylist()
    assert sorted(row["id"] for row in labels) == sorted(row["id"] for row in documents(COUNT))
    assert {row["status"] for row in labels} == {"ok"}
    assert all(row["category"] for row in labels)
    answered = [server.stats["statuses"]["200"] for server in (poor, rich)]
    assert (sum(answered), answered[0] > 0) == (COUNT, True)
