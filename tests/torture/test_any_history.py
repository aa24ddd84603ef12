"""The guarantees hold, whatever users do and in whatever order."""

from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program
from tests.thorough import IS_TORTURE
from tests.torture.any_history import AnyHistory, World

HISTORIES, STEPS = (50, 25) if IS_TORTURE else (2, 10)
FAULTS = ("--fault", "mixed=10%", "--latency", "0.002")


@pytest.mark.timeout(3600)
def test_the_guarantees_hold_through_any_history(tmp_path: Path, endpoint: StartEndpoint) -> None:
    numbers = count()

    def new_world() -> World:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        program = Program(folder, {"LLMBATCH_SPEND_STORE": str(folder / "spend"), "LLMBATCH_TIMEOUT": "2"})
        return World(program, endpoint("--latency", "0.002"), endpoint(*FAULTS))

    class InAWorldOfItsOwn(AnyHistory):
        def __init__(self) -> None:
            super().__init__(new_world)

    run_state_machine_as_test(
        InAWorldOfItsOwn,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not IS_TORTURE,
            database=None,
            phases=(Phase.generate,),  # finding a shorter history is seldom worth the minutes that it takes
            suppress_health_check=list(HealthCheck),
        ),
    )
