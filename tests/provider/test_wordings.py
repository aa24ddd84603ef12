"""Each provider's own wording of a refusal is classified correctly: `wordings.jsonl` holds an example of each."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmbatch.provider.completion import ErrorInAnswerError, decode_completion
from llmbatch.provider.error_body import read_error
from llmbatch.provider.failures import Action, Failure
from llmbatch.provider.judge import judge, judge_report
from llmbatch.provider.wordings import wordings

EXAMPLES = [json.loads(line) for line in Path(__file__).with_name("wordings.jsonl").read_bytes().splitlines()]


def raw(body: Any) -> bytes:
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def judged(status: int, body: Any) -> Failure:
    """Judged like a real response: an error in a 200 is found by decoding it."""
    if status != 200:
        return judge(status, {}, raw(body))
    with pytest.raises(ErrorInAnswerError) as found:
        decode_completion(raw(body))
    return judge_report(200, {}, found.value.report)


def test_a_providers_wording_is_classified_correctly() -> None:
    for example in EXAMPLES:
        failure = judged(example["status"], example["body"])
        assert failure.kind == example["kind"], (example, failure)
        assert failure.message, example
        if "parameter" in example:
            assert (Action.ADAPT, example["parameter"]) == (failure.action, failure.parameter), example
        if "window" in example:
            assert failure.window == example["window"], example


def test_each_row_of_the_table_has_an_example() -> None:
    texts = [(example["status"], read_error(raw(example["body"])).text) for example in EXAMPLES]
    for wording in wordings():
        assert any(wording.pattern.search(text) for status, text in texts if status in wording.statuses), wording


def test_each_row_names_its_source() -> None:
    assert all(wording.source for wording in wordings())
