"""Numbers are written back as they were read, at any position."""

import copy
import json
import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmbatch.core.exact_numbers import Number
from llmbatch.core.jsonlines import dump_line
from llmbatch.readers.faults import BadRow
from llmbatch.readers.formats.json_values import parse_json

LITERALS = ["0.1234567890123456789", "1.0", "1.50", "1E5", "1e-7", "1e+16", "-0", "-0.0", "0", "9" * 40, "-" + "9" * 19,
            "123456789012345678", "1e22", "100000000000000000000.0", "0.1", "5e-324", "0E0"]  # fmt: skip
numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
strings = st.text(st.sampled_from('ab1.0-e, :{}[]é\\"')).map(lambda text: json.dumps(text, ensure_ascii=False))
texts = st.recursive(
    numbers | st.sampled_from(LITERALS) | strings | st.sampled_from(["true", "false", "null"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(strings, inner), max_size=3, unique_by=lambda item: item[0]).map(
            lambda items: "{" + ",".join(f"{name}:{value}" for name, value in items) + "}"
        )
    ),
    max_leaves=8,
)


@given(texts)
@example('{"a":-0,"b":"-0"}')
@example('{"a":0,"b":" -0,"}')
@example(f"[{'9' * 40},1E5,1.50]")
def test_any_value_is_written_back_as_it_was_read(text: str) -> None:
    assert dump_line(parse_json(text.encode())) == text.encode() + b"\n"


@pytest.mark.parametrize("literal", LITERALS)
def test_a_number_is_a_number_and_keeps_its_literal_in_copies(literal: str) -> None:
    value = parse_json(literal.encode())
    assert value == json.loads(literal)
    for one in (value, copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert dump_line(one) == literal.encode() + b"\n"


@pytest.mark.parametrize("literal", ["1e400", "-1e400", "1" + "0" * 400, "NaN", "01", "1.", ".5", "+1", "1e"])
def test_numbers_out_of_range_are_refused(literal: str) -> None:
    with pytest.raises(BadRow, match="is not JSON"):
        parse_json(f'{{"a": {literal}}}'.encode())


def test_values_at_the_maximum_nesting_depth_are_written() -> None:
    for innermost in ("1", "1E5", "9" * 40):
        text = "[" * 500 + innermost + "]" * 500
        assert dump_line(parse_json(text.encode())) == text.encode() + b"\n"


def test_values_that_are_not_json_are_not_written() -> None:
    for value in (object(), {1, 2}, float("nan")):
        with pytest.raises((TypeError, ValueError)):
            dump_line({"a": value, "b": 10**40})


def test_numbers_compare_and_hash_like_floats() -> None:
    assert Number("1.50") == 1.5
    assert hash(Number("1.50")) == hash(1.5)
    assert Number("-0") < Number("1E5")
