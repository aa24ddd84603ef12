"""Each maker's own words for a refusal get what they mean: `wordings.jsonl` holds an example of each."""

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
    """As a request's end is judged: an error in a 200 is found by decoding it."""
    if status != 200:
        return judge(status, {}, raw(body))
    with pytest.raises(ErrorInAnswerError) as found:
        decode_completion(raw(body))
    return judge_report(200, {}, found.value.report)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e['maker']}-{e['status']}-{e['kind']}")
def test_a_makers_own_words_get_what_they_mean(example: dict[str, Any]) -> None:
    failure = judged(example["status"], example["body"])
    assert failure.kind == example["kind"], failure
    assert failure.message
    if "parameter" in example:
        assert (Action.ADAPT, example["parameter"]) == (failure.action, failure.parameter)
    if "window" in example:
        assert failure.window == example["window"]


@pytest.mark.parametrize("wording", wordings(), ids=lambda w: f"{w.meaning}-{w.source[:20]}")
def test_each_row_of_the_table_has_an_example(wording: Any) -> None:
    assert any(
        wording.pattern.search(read_error(raw(example["body"])).text)
        for example in EXAMPLES
        if example["status"] in wording.statuses
    ), wording


def test_each_row_names_its_source() -> None:
    assert all(wording.source for wording in wordings())
