"""A real IPython kernel, driven as a notebook does."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.api.calling import check_clean_end
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import REPOSITORY, environment, ledger_lines

DOCUMENTED = REPOSITORY / "docs" / "how-to" / "notebook.ipynb"
TIMEOUT_S = 60
SLOW = ("--latency", "0.02")
BEGIN = """
import asyncio
from llmbatch import aclassify, classify
TEXTS = [f"The server crashed in case {n}." for n in range(300)]
def options(out):
    return dict(base_url=URL, out=out, concurrency=1, review_below=0, max_cost=10)
"""


@dataclass(frozen=True)
class Cell:
    """The result of running a cell: its reply and its outputs."""

    reply: dict[str, Any]
    outputs: list[dict[str, Any]]

    @property
    def text(self) -> str:
        """What it printed."""
        return "".join(out["content"]["text"] for out in self.outputs if out["msg_type"] == "stream")


class Notebook:
    """A kernel and its client."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._manager = manager
        self._client = client

    def begin(self, code: str) -> str:
        """Start a cell. Returns its message's id."""
        name: str = self._client.execute(code, allow_stdin=False)
        return name

    def end(self, name: str) -> Cell:
        """Wait until a cell has run."""
        outputs: list[dict[str, Any]] = []
        while True:
            message = self._client.get_iopub_msg(timeout=TIMEOUT_S)
            if message["parent_header"].get("msg_id") != name:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
            outputs.append(message)
        while True:
            reply = self._client.get_shell_msg(timeout=TIMEOUT_S)
            if reply["parent_header"].get("msg_id") == name:
                return Cell(reply["content"], outputs)

    def run(self, code: str) -> Cell:
        """Run a cell to its end, which must not be an error."""
        cell = self.end(self.begin(code))
        assert cell.reply["status"] == "ok", cell.reply
        return cell

    def interrupt_after(self, rows: int, folder: Path) -> None:
        """Press the notebook's stop button once the run has `rows` rows."""
        deadline = time.monotonic() + TIMEOUT_S
        while ledger_lines(folder) < rows:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self._manager.interrupt_kernel()


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(tmp_path_factory.mktemp("notebook")), env=environment())
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=TIMEOUT_S)
    yield Notebook(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def notebook(kernel: Notebook, endpoint: StartEndpoint) -> Notebook:
    kernel.run(f"URL = {endpoint(*SLOW).url!r}\n{BEGIN}")
    return kernel


def test_a_cell_shows_progress_in_place(notebook: Notebook, tmp_path: Path) -> None:
    cell = notebook.run(f"print(len(classify(TEXTS[:25], **options({str(tmp_path)!r}))))")
    shown = [output for output in cell.outputs if output["msg_type"].endswith("display_data")]
    assert [output["msg_type"] for output in shown] == ["display_data"] + ["update_display_data"] * (len(shown) - 1)
    assert "<progress" in shown[-1]["content"]["data"]["text/html"]
    assert "/25 rows" in shown[-1]["content"]["data"]["text/plain"]
    assert cell.text == "25\n"
    silent = notebook.run(f"classify(TEXTS[:25], progress=False, **options({str(tmp_path)!r})).ok")
    assert [output["msg_type"] for output in silent.outputs if "display" in output["msg_type"]] == []


@pytest.mark.parametrize("call", ["classify", "await aclassify"])
def test_the_stop_button_ends_the_run_and_the_next_cell_resumes(notebook: Notebook, tmp_path: Path, call: str) -> None:
    name = notebook.begin(f"run = {call}(TEXTS[:40], **options({str(tmp_path)!r}))")
    notebook.interrupt_after(3, tmp_path)
    cell = notebook.end(name)
    assert cell.reply["ename"] in {"KeyboardInterrupt", "CancelledError"}, cell.reply
    assert 3 <= check_clean_end(tmp_path) < 40
    assert notebook.run(f"print(len({call}(TEXTS[:40], **options({str(tmp_path)!r}))))").text == "40\n"
    threads = notebook.run("import threading; print([thread.name for thread in threading.enumerate()])").text
    assert "llmbatch" not in threads


def test_two_cells_run_one_after_the_other(notebook: Notebook, tmp_path: Path) -> None:
    first = notebook.begin(f"print(len(classify(TEXTS[:5], **options({str(tmp_path / 'a')!r}))))")
    second = notebook.begin(f"print(len(classify(TEXTS[:6], **options({str(tmp_path / 'b')!r}))))")
    assert [notebook.end(first).text, notebook.end(second).text] == ["5\n", "6\n"]


def test_a_run_continues_in_the_background_of_a_cell(notebook: Notebook, tmp_path: Path) -> None:
    notebook.run(f"task = asyncio.create_task(aclassify(TEXTS[:30], **options({str(tmp_path / 'a')!r})))")
    meanwhile = notebook.run(f"print(len(await aclassify(TEXTS[:3], **options({str(tmp_path / 'b')!r}))), task.done())")
    assert meanwhile.text == "3 False\n"
    assert notebook.run("print(len(await task))").text == "30\n"


def test_the_documented_notebook_gives_the_outputs_it_shows(notebook: Notebook, tmp_path: Path) -> None:
    notebook.run(f"import os; os.chdir({str(tmp_path)!r})")
    cells = [cell for cell in json.loads(DOCUMENTED.read_text())["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 5
    for cell in cells:
        code = "".join(cell["source"])
        done = notebook.run(code)
        given = [output["content"] | {"output_type": output["msg_type"]} for output in done.outputs]
        assert shown(given) == shown(cell["outputs"]), code


def shown(outputs: list[dict[str, Any]]) -> list[str]:
    """A cell's printed output and result, without progress and warnings, which differ from run to run."""
    printed = "".join("".join(one["text"]) for one in outputs if one.get("name") == "stdout")
    values = ["".join(one["data"]["text/plain"]) for one in outputs if one["output_type"] == "execute_result"]
    return [printed, *values]
