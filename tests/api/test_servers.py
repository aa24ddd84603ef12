"""Calls from a server that keeps serving, and many calls from one process."""

import asyncio
import gc
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import uvicorn
from fastapi import FastAPI, HTTPException

from llmbatch import aclassify, classify
from llmbatch.analysis.gold import GoldOptions
from llmbatch.analysis.run_evaluation import evaluate_run
from llmbatch.core.errors import UsageError
from llmbatch.provider.http_library import httpx
from llmbatch.review.opened import opened
from llmbatch.session.standing import export_run, show_run
from tests.api.calling import TEXTS, check_clean_end, options
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import write_rows
from tests.thorough import IS_TORTURE

CALLS = 200 if IS_TORTURE else 8
OPEN_FILES = Path("/proc/self/fd")


def application(url: str, folder: Path) -> FastAPI:
    """A service that labels texts in ordinary handlers."""
    app = FastAPI()

    @app.get("/health")
    async def health() -> str:
        return "up"

    @app.post("/labels/{name}")
    async def label(name: str, texts: list[str]) -> list[str | None]:
        return [result.category for result in await aclassify(texts, **options(url, folder / name))]

    @app.post("/labels/{name}/soon")
    async def label_soon(name: str, texts: list[str]) -> list[str | None]:
        try:
            async with asyncio.timeout(0.5):
                return await label(name, texts)
        except TimeoutError:
            raise HTTPException(504) from None

    return app


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """The application behind a real server on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        serving = asyncio.create_task(server.serve([listening]))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=60) as client:
            yield client
        server.should_exit = True
        await serving


def test_a_server_serves_others_while_a_handler_labels(tmp_path: Path, endpoint: StartEndpoint) -> None:
    async def use() -> None:
        async with served(application(endpoint("--latency", "0.02").url, tmp_path)) as client:
            labels = asyncio.gather(*(client.post(f"/labels/{n}", json=TEXTS[:15]) for n in range(3)))
            served_meanwhile = 0
            while not labels.done():
                assert (await client.get("/health")).json() == "up"
                served_meanwhile += 1
                await asyncio.sleep(0.001)
            assert [answer.json() for answer in await labels] == [["technical"] * 15] * 3
            assert served_meanwhile > 5
            late = await client.post("/labels/late/soon", json=TEXTS)
            assert late.status_code == 504
            assert check_clean_end(tmp_path / "late") < len(TEXTS)

    asyncio.run(use())


def test_many_calls_in_one_process_leave_nothing_behind(endpoint: StartEndpoint) -> None:
    server, measured = endpoint(), []
    gc.freeze()  # ignore objects left by earlier tests
    for number in range(CALLS):
        classify([f"A court in case {number}."], base_url=server.url, spend_store="off").labels()
        if number in (CALLS // 2, CALLS - 1):
            gc.collect()
            measured.append((len(list(OPEN_FILES.iterdir())), threading.active_count(), len(gc.get_objects())))
    (files, threads, objects), (files_later, threads_later, objects_later) = measured
    assert (files_later, threads_later) == (files, threads)
    assert objects_later - objects < CALLS // 2, "less than one object per call"


def test_reading_a_run_leaves_none_of_its_files_open(endpoint: StartEndpoint, tmp_path: Path) -> None:
    run = classify(TEXTS[:4], base_url=endpoint().url, out=tmp_path / "run")
    gold = GoldOptions(str(write_rows(tmp_path / "gold.jsonl", [{"id": 0, "label": "technical"}])))
    show_run(run.folder)
    evaluate_run(run.folder, gold, wanted=0.8)
    export_run(run.folder, out=tmp_path)
    with opened(run.folder):
        pass
    (run.folder / "input.jsonl").unlink(missing_ok=True)
    with suppress(UsageError):
        evaluate_run(run.folder, gold, wanted=0.8)
    files = [file.readlink() for file in OPEN_FILES.iterdir() if file.is_symlink()]
    assert not [file for file in files if file.is_relative_to(run.folder)]
