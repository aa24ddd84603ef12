"""The JSON that commands print, checked against its published schema."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from llmbatch.cli.commands import SUMMARIES, load
from llmbatch.cli.documents import DOCUMENTS, document_schema
from tests.e2e.program import Program

REPOSITORY = Path(__file__).parents[2]
GOLD = REPOSITORY / "sample_data" / "gold.jsonl"
SAMPLE = REPOSITORY / "sample_data" / "docs.jsonl"
OTHERS = {"prompt render"}
"""Commands whose `--json` has no schema of llmbatch: the request as the provider receives it."""
OUTPUTS = {
    "classify": "classify DOCS --offline --json",
    "retry": "retry troubled --offline --json",
    "merge": "merge sharded --json",
    "show": "show troubled --json",
    "estimate": "estimate DOCS --model gpt-6-luna --model gpt-4o-mini --canary-model gpt-4o --json",
    "input": "input DOCS --json",
    "runs list": "runs --json",
    "runs clean": "runs clean --json",
    "repair": "repair run --json",
    "evaluate": "evaluate run --gold GOLD --min-accuracy 1% --json",
    "calibrate": "calibrate run --gold GOLD --out c.json --json",
    "compare": "compare DOCS --model gpt-6-luna --model gpt-4o-mini --offline --rows 20 --gold GOLD --json",
    "spend": "spend --offline --by model --json",
    "review status": "review status run --json",
    "canary report": "canary report troubled --json",
    "cache show": "cache show --json",
    "config show": "config show classify --json",
    "prompt check": "prompt check default banking77 --json",
    "batch list": "batch list run --json",
}
MORE = {"show": ["show run --against troubled --json"], "spend": ["show run --by label --json", "spend --json"]}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program in a folder with a run, one with a canary and failed rows, and one in two shards."""
    folder = tmp_path_factory.mktemp("documents")
    program = Program(folder, {"HOME": str(folder / "home"), "XDG_STATE_HOME": "", "XDG_CACHE_HOME": ""})
    run(program, "classify DOCS --offline --sample 10% --reuse --out run")
    run(program, "classify DOCS --offline --canary-model gpt-4o --fault refusal=20% --out troubled", code=3)
    for shard in ("1/2", "2/2"):
        run(program, f"classify DOCS --offline --shard {shard} --out sharded")
    return program


def run(program: Program, line: str, code: int = 0) -> str:
    names = {"DOCS": str(SAMPLE), "GOLD": str(GOLD)}
    done = program(*(names.get(word, word) for word in line.split()))
    assert done.code == code, done.err
    return done.out


def commands() -> Iterator[tuple[str, Any]]:
    for name in SUMMARIES:
        command = load(name)
        yield name, command
        yield from ((f"{name} {below}", one) for below, one in getattr(command, "commands", {}).items())


def test_every_command_with_json_has_a_schema() -> None:
    with_json = {name for name, command in commands() if "json" in getattr(command, "declared", {})}
    assert with_json - OTHERS == set(DOCUMENTS) == set(OUTPUTS)


@pytest.mark.parametrize("command", OUTPUTS)
def test_a_commands_output_matches_its_schema(program: Program, command: str) -> None:
    schema = json.loads(run(program, f"config schema {command}"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == f"llmbatch {command} --json"
    for line in (OUTPUTS[command], *MORE.get(command, ())):
        document = json.loads(run(program, line))
        jsonschema.validate(document, schema)
        assert set(schema.get("required", ())) <= document.keys()


def test_a_missing_or_extra_field_breaks_the_schema(program: Program) -> None:
    schema, document = document_schema("repair"), json.loads(run(program, OUTPUTS["repair"]))
    for wrong in ({**document, "more": 1}, {name: value for name, value in document.items() if name != "next"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_a_command_without_json_has_no_schema(program: Program) -> None:
    done = program("config", "schema", "export")
    assert (done.code, "'export' has no --json" in done.err) == (2, True)
