"""Estimates for rows that share requests."""

from dataclasses import replace

import orjson

from llmbatch.engine.packing.plans import LONGEST_PACK, packed_plan
from llmbatch.engine.plan import Plan
from llmbatch.estimate.cost import OPENING_TOKENS, Job, Pack
from llmbatch.task.packed_prompt import DOCUMENT_HEADING
from llmbatch.tokens import kept_counts

USUAL_ROWS = 10
"""Rows per request in the alternative estimate of an unpacked run; saves most of what packing can save."""
_CHARACTERS_A_TOKEN = 4


def with_packs(job: Job, plan: Plan, rows: int) -> Job:
    """A job whose rows share requests, `rows` in each, as long as documents are short."""
    packed, one = packed_plan(plan, rows), orjson.loads(plan.space.sample_answers(decisions=plan.shape.logprobs)[0])
    caching = plan.caching
    cached = 0 if caching is None else caching.cached_tokens(packed.prefix_tokens + OPENING_TOKENS)
    answers = ({str(n): one for n in range(1, rows + 1)}, one)
    texts = [*(orjson.dumps(answer).decode() for answer in answers), DOCUMENT_HEADING.format(rows) + "\n\n"]
    of_all, of_one, heading_tokens = kept_counts(texts)
    average = _CHARACTERS_A_TOKEN * job.documents.tokens / job.requests if job.requests else 0.0
    pack = Pack(
        rows=min(rows, max(int(LONGEST_PACK / average), 1) if average else rows),
        prefix_tokens=packed.prefix_tokens,
        cached_tokens=cached,
        written_tokens=cached if job.written_tokens else 0,
        heading_tokens=heading_tokens,
        key_tokens=max(of_all / rows - of_one, 0.0),
    )
    return replace(job, pack=pack)
