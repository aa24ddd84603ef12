"""Configuration files: precedence, what is refused, and what an untrusted file may not set."""

import contextlib
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.cli.commands import SUMMARIES, load
from llmbatch.cli.configuration.effective import effective_json, effective_values
from llmbatch.cli.configuration.file import find_configuration
from llmbatch.cli.configuration.known_keys import all_declared
from llmbatch.cli.configuration.schema import configuration_schema
from llmbatch.cli.configuration.trust import trust_file
from llmbatch.core.errors import UsageError
from tests.e2e.program import Program, read_rows, write_rows

REPOSITORY = Path(__file__).parents[2]
EVERYTHING = """
[defaults]
max-cost = 2
concurrency = 8
text_field = ["body, long"]
truncate = "head-tail"
reasoning = true

[profile.nightly]
max_cost = 20.5
review_below = 0.6

[task.tickets]
review_below = 0.8
seed = 3
max_cost = 9
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a separate home."""
    here = tmp_path / "project"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home" / "state"))
    for name in os.environ:
        if name.startswith(("LLMBATCH_", "OPENAI_")):
            monkeypatch.delenv(name)
    return here


def values(*command: str, profile: str | None = None) -> dict[str, Any]:
    found = effective_json(effective_values(list(command or ["classify"]), profile))["values"]
    return {key: (one["value"], one["source"]) for key, one in found.items()}


def test_a_file_is_found_upwards_and_sets_what_nothing_else_sets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "llmbatch.toml").write_text(EVERYTHING)
    (folder / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(folder / "a" / "b")
    found = values()
    source = "llmbatch.toml [defaults]"
    assert found["max_cost"] == (2.0, source)
    assert found["concurrency"] == ("8", source)
    assert found["text_field"] == (["body, long"], source)
    assert found["truncate"] == ("head-tail", source)
    assert found["reasoning"] == (True, source)
    assert found["attempts"][1] == "built-in"


def test_the_order_is_environment_profile_task_defaults_and_the_tasks_own_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "llmbatch.toml").write_text(EVERYTHING)
    labels = "".join(f'[[labels]]\nname = "{name}"\ndescription = "d"\n' for name in "ab")
    (folder / "tickets.toml").write_text(f'name = "tickets"\n[model]\nname = "m"\nreview_below = 0.1\n{labels}')
    monkeypatch.setenv("LLMBATCH_TASK", "tickets.toml")
    assert values()["review_below"] == (0.8, "llmbatch.toml [task.tickets]")
    assert values()["model"] == ("m", "tickets.toml [model]")
    nightly = values(profile="nightly")
    assert nightly["review_below"] == (0.6, "llmbatch.toml [profile.nightly]")
    assert nightly["max_cost"] == (20.5, "llmbatch.toml [profile.nightly]")
    assert nightly["seed"] == (3, "llmbatch.toml [task.tickets]")
    monkeypatch.setenv("LLMBATCH_MAX_COST", "1")
    assert values(profile="nightly")["max_cost"] == (1.0, "LLMBATCH_MAX_COST")
    monkeypatch.setenv("LLMBATCH_TEXT_FIELD", "the body")
    assert values()["text_field"] == (["the body"], "LLMBATCH_TEXT_FIELD")


def test_a_run_uses_the_file_and_the_command_line_wins(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", [{"nr": 7, "body, long": "A court ruled.", "x": 1}])
    (llmbatch.folder / "llmbatch.toml").write_text(
        '[defaults]\noffline = true\nid_field = "nr"\ntext_field = "body, long"\nkeep = "x"\n'
        "[profile.dear]\nmax_cost = 0\n"
    )
    done = llmbatch("classify", "docs.jsonl", "--json")
    assert (done.code, done.json["offline"]) == (0, True)
    (row,) = read_rows(llmbatch.folder / "docs.offline.llmbatch" / "results.jsonl")
    assert (row["id"], row["x"]) == (7, 1)
    assert llmbatch("classify", "docs.jsonl", "--profile", "dear", "--out", "other").code == 5
    assert llmbatch("classify", "docs.jsonl", "--profile", "dear", "--max-cost", "1", "--out", "third").code == 0
    assert llmbatch("classify", "docs.jsonl", "--out", "fourth", LLMBATCH_PROFILE="dear").code == 5
    shown = llmbatch("config", "show", "--profile", "dear").out.splitlines()
    first_set = next(n for n, line in enumerate(shown) if not line.endswith("built-in"))
    assert not any(line.endswith("built-in") for line in shown[first_set:]), "options that are set come last"
    assert sum("llmbatch.toml [profile.dear]" in line for line in shown) == 1


def test_patience_is_shown_as_the_values_that_it_sets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "llmbatch.toml").write_text('[defaults]\npatience = "high"\nattempts = 3\n')
    found = values()
    assert found["patience"] == ("high", "llmbatch.toml [defaults]")
    assert found["attempts"] == (3, "llmbatch.toml [defaults]")
    assert found["max_wait"] == (7200.0, "patience, llmbatch.toml [defaults]")
    monkeypatch.setenv("LLMBATCH_PATIENCE", "low")
    assert values()["reask"] == (0, "patience, LLMBATCH_PATIENCE")
    assert values()["attempts"] == (3, "llmbatch.toml [defaults]")
    assert values("estimate").keys().isdisjoint({"patience", "attempts"})


def test_a_pyproject_file_is_used_if_it_has_the_table(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "pyproject.toml").write_text("[tool.llmbatch.defaults]\nseed = 5\n")
    (folder / "below").mkdir()
    (folder / "below" / "pyproject.toml").write_text('[project]\nname = "not llmbatch"\n')
    monkeypatch.chdir(folder / "below")
    assert values()["seed"] == (5, "pyproject.toml [defaults]")
    (folder / "llmbatch.toml").write_text("[defaults]\nseed = 6\n")
    assert values()["seed"] == (6, "llmbatch.toml [defaults]")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[tool", b"tool = 3", b"[tool]\nx = 1"])
def test_a_pyproject_file_without_the_table_is_ignored(folder: Path, content: bytes) -> None:
    (folder / "pyproject.toml").write_bytes(content)
    assert find_configuration() is None


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        ("[defaults]\nmax_costs = 1", r"toml:2: \[defaults\] max_costs is not an option", "did you mean max_cost?"),
        ("[profile.x]\nattemps = 1", r"\[profile.x\] attemps is not an option", "did you mean attempts?"),
        (
            "[defaults]\nopenai_api_key = 'x'",
            "openai_api_key is not an option",
            "API keys do not belong in files: set OPENAI_API_KEY in the environment",
        ),
        ("[default]\nseed = 1", "'default' is not a table", ""),
        ("seed = 1", "'seed' is not a table", ""),
        ("defaults = 1", "is not a table", ""),
        ("profile = 1", "is not a table", ""),
        ("[profile]\nx = 1", "is not a table", ""),
        ("[defaults]\nseed = 1\nseed = 2", "not valid TOML", ""),
        ("[defaults]\nmax-cost = 1\nmax_cost = 2", "twice", ""),
        ("[defaults]\nattempts = '4'", r"attempts='4': a whole number is required", ""),
        ("[defaults]\nattempts = 0", r"attempts=0: the minimum is 1", ""),
        ("[defaults]\nreview_below = true", "a finite number is required", ""),
        ("[defaults]\nmax_cost = nan", "a finite number is required", ""),
        ("[defaults]\noffline = 'yes'", "expected True or False", ""),
        ("[defaults]\ntruncate = 'middle'", "must be one of 'head', 'head-tail'", ""),
        ("[defaults]\nmodel = ['a']", "expected a string", ""),
        ("[defaults]\nout = 5", "expected a path", ""),
    ],
)
def test_a_mistake_in_a_file_is_refused_with_its_position(folder: Path, content: str, message: str, hint: str) -> None:
    (folder / "llmbatch.toml").write_text(content)
    with pytest.raises(UsageError, match=message) as error:
        values()
    assert hint in (error.value.hint or "")
    assert "llmbatch.toml" in error.value.message


def test_an_error_about_an_option_says_where_it_was_set(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", [{"id": 1, "text": "A court ruled."}])
    (llmbatch.folder / "llmbatch.toml").write_text(
        '[defaults]\noffline = true\ndeadline = "soon"\n[task.default]\nsample = "many"\n'
    )
    done = llmbatch("classify", "docs.jsonl")
    assert (done.code, "(set by llmbatch.toml [defaults])" in done.err) == (2, True)
    done = llmbatch("classify", "docs.jsonl", "--deadline", "1h")
    assert (done.code, "(set by llmbatch.toml [task.default])" in done.err) == (2, True)
    done = llmbatch("classify", "docs.jsonl", "--deadline", "later")
    assert (done.code, "set by" in done.err) == (2, False)


def test_watch_uses_the_profile(llmbatch: Program) -> None:
    (llmbatch.folder / "files").mkdir()
    write_rows(llmbatch.folder / "files" / "docs.jsonl", [{"id": 1, "text": "A court ruled."}])
    (llmbatch.folder / "llmbatch.toml").write_text("[profile.x]\noffline = true\nsettle = 0\nmax_cost = 0\n")
    done = llmbatch("watch", "files", "--profile", "x")
    assert done.code == 5, done.err


@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling", "latin1", "big", "deep"])
def test_an_unusable_file_is_refused(folder: Path, kind: str) -> None:
    path = folder / "llmbatch.toml"
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "dangling":
            path.symlink_to("nowhere")
        case "latin1":
            path.write_bytes(b"# \xe9")
        case "big":
            path.write_bytes(b"#" * 2_000_000)
        case _:
            path.write_text(f"x = {'[' * 5_000}")
    with pytest.raises(UsageError, match=r"llmbatch\.toml"):
        find_configuration()


def test_an_unknown_profile_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="there is no configuration file"):
        values(profile="nightly")
    (folder / "llmbatch.toml").write_text(EVERYTHING)
    with pytest.raises(UsageError, match="no profile 'nighty'") as error:
        values(profile="nighty")
    assert error.value.hint == "did you mean nightly?"


@pytest.mark.parametrize(
    "line",
    [
        'base_url = "http://evil.example/v1"',
        'alert_command = "touch ran"',
        'dialect = "anthropic-messages"',
        'price = "0,0,0"',
        'reuse_store = "answers.sqlite"',
        "insecure_http = true",
        'observer = "spy"',
        'query = "select secret from users"',
        "yes = true",
        'spend_store = "off"',
        'log_file = "/etc/passwd"',
        'log_file = "../log.jsonl"',
        'metrics_file = "~/x.prom"',
        'task = "../task.toml"',
        'out = "link/there"',
        'calibration = "link"',
    ],
)
def test_sensitive_options_count_only_in_a_trusted_file(folder: Path, line: str) -> None:
    (folder / "link").symlink_to(folder.parent)
    path = folder / "llmbatch.toml"
    path.write_text(f"[defaults]\n{line}\n")
    key = line.partition(" ")[0]
    with pytest.raises(UsageError, match=rf"toml:2: \[defaults\] {key} (counts only|points outside)") as error:
        load("classify").make_context("classify", ["docs.jsonl"])
    assert "llmbatch config trust" in (error.value.hint or "")
    trust_file(path, path.read_bytes())
    assert load("classify").make_context("classify", ["docs.jsonl"]).params[key]
    path.write_text(f"[defaults]\n{line} # and now?\n")
    with pytest.raises(UsageError, match=key):
        load("classify").make_context("classify", ["docs.jsonl"])


@pytest.mark.parametrize(
    "line", ['export_out = "s3://stranger/"', 'export_to = "postgresql://evil.example/db"', 'table = "users"']
)
def test_an_untrusted_file_cannot_set_where_results_go(folder: Path, line: str) -> None:
    (folder / "llmbatch.toml").write_text(f"[defaults]\n{line}\n")
    with pytest.raises(UsageError, match="counts only in a file that you trust"):
        load("export").make_context("export", ["run"])


def test_command_line_options_need_no_trust(folder: Path) -> None:
    (folder / "llmbatch.toml").write_text('[defaults]\nbase_url = "http://evil.example/v1"\n')
    context = load("classify").make_context("classify", ["docs.jsonl", "--base-url", "http://127.0.0.1:1/v1"])
    assert context.params["base_url"] == "http://127.0.0.1:1/v1"
    load("show").make_context("show", ["run"])  # sends nothing


def test_a_world_writable_file_is_refused(llmbatch: Program) -> None:
    path = llmbatch.folder / "llmbatch.toml"
    path.write_text("[defaults]\nseed = 1\n")
    path.chmod(0o666)
    done = llmbatch("config", "show")
    assert (done.code, "is writable by everyone" in done.err) == (2, True)
    trusted = llmbatch("config", "trust")
    assert (trusted.code, trusted.out.strip()) == (0, str(path))
    assert llmbatch("config", "show").code == 0


def test_help_works_whatever_the_file_contains(llmbatch: Program) -> None:
    (llmbatch.folder / "llmbatch.toml").write_text("[default]\n")
    assert llmbatch("classify", "--help").code == 0
    assert llmbatch("classify", "docs.jsonl").code == 2


def test_paths_are_relative_to_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "llmbatch.toml").write_text(
        '[defaults]\ntask = "prompts/x.toml"\nlog_file = "log"\ncalibration = "none"\nout = "run"\n'
    )
    (folder / "below").mkdir()
    monkeypatch.chdir(folder / "below")
    params = load("classify").make_context("classify", ["docs.jsonl"]).params
    assert params["task"] == str(folder / "prompts" / "x.toml")
    assert (params["log_file"], params["out"]) == (folder / "log", folder / "run")
    assert params["calibration"] == "none"


def test_a_command_takes_only_its_own_options(folder: Path) -> None:
    (folder / "llmbatch.toml").write_text('[defaults]\nmodel = "m"\nretry_model = "n"\nreview_format = "csv"\n')
    assert values("classify")["model"][0] == "m"
    assert values("retry")["retry_model"] == ("n", "llmbatch.toml [defaults]")
    assert values("review", "export")["review_format"] == ("csv", "llmbatch.toml [defaults]")
    with pytest.raises(UsageError, match="clasify"):
        values("clasify")
    with pytest.raises(UsageError, match="group of commands"):
        values("review")


def test_paths_in_lists_are_relative_to_the_file_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "llmbatch.toml").write_text(
        '[defaults]\nreview_against = ["old", "older"]\ncompare_prompt = ["a.toml", "default"]\n'
    )
    (folder / "below").mkdir()
    monkeypatch.chdir(folder / "below")
    assert values("review", "status")["review_against"][0] == [str(folder / "old"), str(folder / "older")]
    assert values("compare")["compare_prompt"][0] == [str(folder / "a.toml"), "default"]
    (folder / "llmbatch.toml").write_text('[defaults]\nreview_against = ["old", "/etc"]\n')
    with pytest.raises(UsageError, match="points outside"):
        values("review", "status")


def test_each_file_option_is_marked_as_a_path() -> None:
    unknown = [
        f"{command} {name}"
        for command in SUMMARIES
        for name, declared in all_declared(load(command))
        if re.search("FILE|FOLDER|RUN", declared.option.metavar or "")
        if not (declared.is_path or declared.option.is_sensitive or name == "text")
    ]
    assert unknown == []


def test_the_docs_list_what_an_untrusted_file_may_not_set() -> None:
    page = (REPOSITORY / "docs" / "how-to" / "configuration.md").read_text()
    (listed,) = [line for line in page.splitlines() if line.startswith("- it cannot set")]
    sensitive = {
        declared.option.keys_of(name)[0]
        for command in SUMMARIES
        for name, declared in all_declared(load(command))
        if declared.option.is_sensitive
    }
    assert set(re.findall("`([a-z_]+)`", listed)) == sensitive


@pytest.mark.usefixtures("folder")
def test_the_schema_has_each_key() -> None:
    schema = configuration_schema()["$defs"]["options"]["properties"]
    assert set(values()) | set(values("retry")) <= set(schema)
    assert schema["attempts"]["minimum"] == 1
    assert schema["truncate"]["enum"] == ["head", "head-tail"]
    assert "profile" not in schema


@given(content=st.binary(max_size=60) | st.text(alphabet='[]"=.\ndefaultsprofile_x1', max_size=60).map(str.encode))
def test_any_content_is_read_or_refused(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-content"
    folder.mkdir(exist_ok=True)
    (folder / "llmbatch.toml").write_bytes(content)
    with contextlib.chdir(folder), contextlib.suppress(UsageError):
        load("show").make_context("show", ["run"])


@pytest.mark.parametrize("written", ['"60%"', "0.6", '" 60 %"'])
def test_a_share_is_a_number_or_a_percentage(folder: Path, monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    (folder / "llmbatch.toml").write_text(f"[defaults]\nreview_below = {written}\n")
    assert values()["review_below"] == (0.6, "llmbatch.toml [defaults]")
    monkeypatch.setenv("LLMBATCH_REVIEW_BELOW", "70%")
    assert values()["review_below"] == (0.7, "LLMBATCH_REVIEW_BELOW")
    monkeypatch.delenv("LLMBATCH_REVIEW_BELOW")
    (folder / "llmbatch.toml").write_text('[defaults]\nreview_below = "160%"\n')
    with pytest.raises(UsageError, match="review_below='160%': a finite number is required"):
        values()
