"""Task files on the screen: grouped findings, and a readable request."""

import json

from tests.e2e.program import Program
from tests.terminal.screens import on_a_terminal

ALIKE = 'name = "t"\n' + "".join(
    f'[[labels]]\nname = "label_{n}"\ndescription = "A document about the very same matter as all others, case {n}."\n'
    for n in range(6)
)


def test_similar_findings_are_grouped(llmbatch: Program) -> None:
    (llmbatch.folder / "t.toml").write_text(ALIKE)
    done = llmbatch("prompt", "check", "t.toml")
    lines = [line for line in done.out.splitlines() if "[alike-descriptions]" in line]
    assert (done.code, len(lines)) == (0, 4)
    assert lines[3].strip() == "and 12 more of the same kind [alike-descriptions]; --json has all"
    found = llmbatch("prompt", "check", "t.toml", "--json").json
    (task,) = found["tasks"]
    assert task["task"] == "t"
    assert sum(finding["code"] == "alike-descriptions" for finding in task["findings"]) == 15


def test_several_tasks_are_checked_by_one_command(llmbatch: Program) -> None:
    (llmbatch.folder / "t.toml").write_text(ALIKE)
    done = llmbatch("prompt", "check", "t.toml", "banking77")
    assert (done.code, done.out.splitlines()[0]) == (0, "t.toml:")
    assert "banking77:" in done.out.splitlines()
    (llmbatch.folder / "broken.toml").write_text("name = 1")
    assert llmbatch("prompt", "check", "t.toml", "broken.toml").code == 2


def test_a_request_is_readable_on_a_terminal_and_json_elsewhere(llmbatch: Program) -> None:
    arguments = ("prompt", "render", "default", "--text", "First line\nSecond \x1b[31mline")
    body = json.loads(llmbatch(*arguments).out)
    shown = on_a_terminal(llmbatch, *arguments, width=80)
    assert "--- system ---" in shown
    assert "# Rules" in shown, "line breaks are printed as such"
    assert any(line.startswith("model = ") for line in shown)
    assert not any(line.startswith('{"model"') for line in shown)
    assert "\x1b" not in "".join(shown)
    as_json = on_a_terminal(llmbatch, *arguments, "--json", width=80)
    assert json.loads("".join(line for line in as_json if not line.startswith("prefix: "))) == body
