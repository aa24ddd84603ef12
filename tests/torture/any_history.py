"""A run folder and its users: a state machine that does what they do, in any order, and checks what must hold.

Every rule is a real command against the offline endpoint. The machine itself remembers only what a user knows: the
rows of the input, the current prompt, and who decided what about which text.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.e2e.holder import holder
from tests.e2e.program import Done, Endpoint, Program, accounted, ledger_lines, views, write_rows

LABELS = ("technical", "business", "legal")
SUBJECTS = ("The server crashed with a stack trace", "Revenue and profit rose", "The contract's liability clause")
CAP_USD = 0.02
"""The limit of the run and of the day: enough for most histories, too little for some."""
CLEAN_EXITS = frozenset({0, 3, 5})
"""Done; done except for failed rows, or after the input lost rows; out of budget."""
AT_ONCE = 4

texts = st.integers(0, 60).map(lambda n: f"{SUBJECTS[n % 3]} in case {n}.")


@dataclass(frozen=True)
class World:
    """The folder and endpoints of one history."""

    program: Program
    server: Endpoint
    faulty: Endpoint
    """Like the other, but a tenth of its answers are damaged, refused or late."""


class AnyHistory(RuleBasedStateMachine):
    """Edits, runs, kills, retries, experiments and decisions, in any order."""

    def __init__(self, new_world: Callable[[], World]) -> None:
        super().__init__()
        self.world = new_world()
        self.run = self.world.program.folder / "docs.llmbatch"
        self.rows: list[dict[str, Any]] = [_row(n, n) for n in range(8)]
        self.decided: dict[str, dict[str, str]] = {}
        """By text: the last decision of each reviewer."""
        self.prompts = 0
        self.kills = 0
        self.last: Done | None = None
        self.is_current = False
        """Whether the run's last session ended cleanly and nothing was edited since."""
        self._write_input()
        self._write_task()

    # What people do to their files.

    @rule(text=texts)
    def append_a_row(self, text: str) -> None:
        self.rows.append({"id": f"d-{len(self.rows)}", "text": text})
        self._write_input()

    @rule(place=st.integers(0, 99), text=texts)
    def edit_a_row(self, place: int, text: str) -> None:
        self.rows[place % len(self.rows)]["text"] = text
        self._write_input()

    @precondition(lambda self: len(self.rows) > 3)
    @rule(place=st.integers(0, 99))
    def remove_a_row(self, place: int) -> None:
        del self.rows[place % len(self.rows)]
        self._write_input()

    @rule(place=st.integers(0, 99))
    def move_a_row_to_the_top(self, place: int) -> None:
        self.rows.insert(0, self.rows.pop(place % len(self.rows)))
        self._write_input()

    @rule()
    def change_the_prompt(self) -> None:
        self.prompts += 1
        self._write_task()

    @precondition(lambda self: self.run.exists())
    @rule(bytes_=st.binary(min_size=1, max_size=30).filter(lambda data: b"\n" not in data))
    def tear_the_ledger(self, bytes_: bytes) -> None:
        """Append the beginning of a line, as a power cut leaves it."""
        self.is_current = False
        with (self.run / "ledger.jsonl").open("ab") as ledger:
            ledger.write(bytes_)

    # What people do with the program.

    @rule()
    def classify(self) -> None:
        self._finish()

    @rule()
    def classify_with_a_faulty_endpoint(self) -> None:
        done = self._classify(self.world.faulty)
        assert done.code in CLEAN_EXITS, done.err

    @rule(after=st.integers(1, 6))
    def kill_a_run(self, after: int) -> None:
        """SIGKILL once this many more rows are in the ledger, if the run gets that far."""
        goal = ledger_lines(self.run) + after
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(self._classify, self.world.server)
            while not running.done():
                if ledger_lines(self.run) >= goal and (working := holder(self.run)) is not None:
                    os.kill(working, signal.SIGKILL)
                    break
                time.sleep(0.001)
            if running.result().code == -signal.SIGKILL:
                self.kills += 1

    @precondition(lambda self: self.run.exists())
    @rule(which=st.sampled_from([(), ("--review",), ("--review", "--model", "gpt-5.4")]))
    def retry(self, which: tuple[str, ...]) -> None:
        self._ran("retry", "docs.llmbatch", *which, *self._sending(self.world.server))

    @rule()
    def escalate(self) -> None:
        self._ran(*self._command(self.world.server), "--escalate-to", "gpt-5.4")

    @rule()
    def let_a_jury_vote(self) -> None:
        self._ran(*self._command(self.world.server), "--jury", "gpt-5.4,gpt-5.4-mini")

    @rule()
    def try_another_prompt(self) -> None:
        """Run another prompt as a canary; its answers count, and it may be dropped."""
        self._write_task("canary.toml", "On trial: ")
        self._ran(*self._command(self.world.server), "--canary-prompt", "canary.toml", "--canary-share", "50%")

    @rule()
    def rehearse_offline(self) -> None:
        before = views(self.run)
        done = self._ran("classify", "docs.jsonl", "--prompt", "task.toml", "--offline", "--json")
        assert Path(done.json["folder"]).name == "docs.offline.llmbatch"
        assert views(self.run) == before, "a rehearsal does not change real results"

    @precondition(lambda self: self.is_current)
    @rule(
        reviewer=st.sampled_from(["ana", "ben"]),
        place=st.integers(0, 99),
        label=st.sampled_from(LABELS),
        times=st.integers(1, 2),
    )
    def decide_in_a_spreadsheet(self, reviewer: str, place: int, label: str, times: int) -> None:
        """The two-column form: its reviewer has not seen the decisions of others."""
        row = self.rows[place % len(self.rows)]
        if Counter(other["id"] for other in self.rows)[row["id"]] > 1:
            return  # the program refuses an ambiguous id
        write_rows(self.world.program.folder / "decided.jsonl", [{"id": row["id"], "decision": label}])
        for _ in range(times):
            self._ran("review", "import", "docs.llmbatch", "decided.jsonl", "--reviewer", reviewer)
        self.decided.setdefault(row["text"], {})[reviewer] = label

    @precondition(lambda self: self.run.exists())
    @rule(form=st.sampled_from(["jsonl", "csv"]))
    def export(self, form: str) -> None:
        before = views(self.run) if self.is_current else None
        self._ran("export", "docs.llmbatch", "--format", form)
        if before is not None:
            assert views(self.run) == before, "an export does not change the results"

    # What must hold.

    @invariant()
    def no_command_crashed(self) -> None:
        if self.last is not None:
            assert "Traceback" not in self.last.err, self.last.err
            assert self.last.code in {*CLEAN_EXITS, 2, -signal.SIGKILL}, self.last.err

    @invariant()
    def no_invented_label_is_a_result(self) -> None:
        found = views(self.run)
        for row in (*found["results"], *found["review"]):
            assert row["category"] in LABELS

    @invariant()
    def all_costs_are_accounted_for(self) -> None:
        spent = self.world.program("spend", "--json").json["total"]
        answered = sum(server.stats["statuses"].get("200", 0) for server in (self.world.server, self.world.faulty))
        assert spent["requests"] >= answered - self.kills * AT_ONCE, "charged, or in flight at a kill"
        assert (spent["cost_usd"] or 0) + (spent["possibly_billed_usd"] or 0) <= CAP_USD

    def teardown(self) -> None:
        """After any history, the same command completes the run."""
        self._finish()

    def _finish(self) -> None:
        """Run to the end, and once more: nothing is left to send, and every row is in one output."""
        done = self._classify(self.world.server)
        assert done.code in CLEAN_EXITS, done.err
        if done.code == 5:
            return
        sent = self.world.server.requests
        again = self._classify(self.world.server)
        failed = views(self.run)["failed"]
        assert (again.code, self.world.server.requests) == (3 if failed else 0, sent), again.err
        assert accounted(self.run) == list(range(len(self.rows)))
        self._check_decisions()
        shown = self._ran("show", "docs.llmbatch", "--json").json["rows"]
        found = views(self.run)
        assert [shown[name] for name in ("ok", "review", "failed")] == [
            len(found[name]) for name in ("results", "review", "failed")
        ]

    def _check_decisions(self) -> None:
        """A single decision is the result; if two differ, the row is in review and lists both."""
        found = views(self.run)
        results = {row["row"]: row for row in found["results"]}
        review = {row["row"]: row for row in found["review"]}
        for place, row in enumerate(self.rows):
            decisions = set(self.decided.get(row["text"], {}).values())
            if len(decisions) == 1:
                assert (results[place]["category"], results[place]["decided_by"]) == (*decisions, "human"), row
            elif decisions:
                assert {entry["category"] for entry in review[place]["conflict"]} == decisions, row

    def _classify(self, server: Endpoint) -> Done:
        self.last = self.world.program(*self._command(server))
        self.is_current = self.last.code in CLEAN_EXITS
        return self.last

    def _ran(self, *command: str) -> Done:
        """Run a command that must end cleanly."""
        self.last = self.world.program(*command)
        assert self.last.code in CLEAN_EXITS, self.last.err
        return self.last

    def _command(self, server: Endpoint) -> tuple[str, ...]:
        return "classify", "docs.jsonl", "--prompt", "task.toml", *self._sending(server)

    def _sending(self, server: Endpoint) -> tuple[str, ...]:
        return (
            "--base-url",
            server.url,
            "--json",
            *("--concurrency", str(AT_ONCE)),
            *("--max-cost", str(CAP_USD), "--daily-budget", str(CAP_USD)),
            *("--stop-at-failures", "100%", "--stop-at-invalid", "100%"),
        )

    def _write_input(self) -> None:
        self.is_current = False
        write_rows(self.world.program.folder / "docs.jsonl", self.rows)

    def _write_task(self, name: str = "task.toml", words: str = "") -> None:
        self.is_current = False
        labels = "".join(f'[[labels]]\nname = "{label}"\ndescription = "about {label} things"\n' for label in LABELS)
        text = f'name = "subjects"\ninstructions = "{words}Say what it is about ({self.prompts})."\n{labels}'
        (self.world.program.folder / name).write_text(text)


def _row(number: int, case: int) -> dict[str, Any]:
    return {"id": f"d-{number}", "text": f"{SUBJECTS[case % 3]} in case {case}."}
