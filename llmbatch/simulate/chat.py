"""The endpoint without HTTP: from a request's bytes to the reply."""

import math
import secrets
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from statistics import NormalDist
from typing import Any

import orjson

from llmbatch.core import defaults
from llmbatch.core.models import AUTOMATIC_CACHING, PromptCaching, caching_of, profile_of
from llmbatch.simulate.answer import Answer
from llmbatch.simulate.catalogue import ANSWERS, ERRORS
from llmbatch.simulate.dialects import dialect_of
from llmbatch.simulate.draw import question_digest, struck, uniform
from llmbatch.simulate.embeddings import EmbeddingRequest, check_window, embeddings_body, read_embedding_request
from llmbatch.simulate.error_faults import rate_limited, too_large, too_long, unknown_model, wrong_key
from llmbatch.simulate.fault import Fault
from llmbatch.simulate.form import answer_form
from llmbatch.simulate.header_faults import HEADER_FAULTS, OtherLimits
from llmbatch.simulate.likelihood import answer_logprobs
from llmbatch.simulate.limits import Exceeded, Limits, as_duration
from llmbatch.simulate.maker_faults import MAKER_ERRORS, first_idea
from llmbatch.simulate.pack_faults import Part
from llmbatch.simulate.packs import content_of, documents_in, read_parts, spans_in, spoilt
from llmbatch.simulate.prompt import Prompt, read_prompt
from llmbatch.simulate.prompt_cache import ANSWER_OVERHEAD, CacheUse, PromptCache, PromptDigest
from llmbatch.simulate.reading import unfenced
from llmbatch.simulate.reply import Delivery, RefusedError, Reply
from llmbatch.simulate.request import ChatRequest, read_request
from llmbatch.simulate.sampling import Sampling
from llmbatch.simulate.settings import SimulatorSettings
from llmbatch.simulate.stated_limits import StatedLimits
from llmbatch.simulate.stats import Stats
from llmbatch.simulate.usage_faults import USAGE_FAULTS
from llmbatch.simulate.wire_faults import WIRE_FAULTS
from llmbatch.tokens import count_tokens

_AT_ONCE = Delivery()
_ANY_WINDOW = 128_000
"""Window that a refusal states if there is none."""
_AS_IT_IS = frozenset({*MAKER_ERRORS, "redirect", "not_json", "bad_gateway", "rate_limit_html"})
"""Faults in the words of one provider: other providers have their own words for few of them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A reply, how to send it, and what it adds to the cache once it is sent."""

    reply: Reply
    delivery: Delivery = _AT_ONCE
    cache_use: CacheUse | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """The client, from the request's path and headers."""

    key: str | None
    deployment: str | None = None
    """The Azure deployment in the path; None for OpenAI's paths."""


class Chat:
    """Answers chat-completion requests. Has the state of a provider: limits, the prompt cache, counts."""

    def __init__(self, settings: SimulatorSettings, *, clock: Callable[[], float]) -> None:
        self.stats = Stats()
        self._settings = settings
        self._clock = clock
        self._began = clock()
        self._cache = PromptCache(ttl_s=settings.cache_ttl_s, clock=clock)
        self.dialect = dialect_of(settings.dialect)
        self._limits = Limits(settings.rpm, settings.tpm, clock=clock)
        self._other_limits = OtherLimits(rpm=settings.rpm, tpm=settings.tpm, clock=clock)
        self._stated = self._limits.headers
        if self.dialect.limits is not None:
            self._stated = StatedLimits(self.dialect.limits, rpm=settings.rpm, tpm=settings.tpm, clock=clock).headers
        self._ids = count(1)
        self._instance = secrets.token_hex(7)  # ids are different for each start, as with a provider

    def enter(self) -> int:
        """Count a new request. Returns its number, from 1."""
        return self.stats.enter(self._elapsed_s)

    def answer(self, raw: bytes, client: Client, number: int, *, in_batch: bool = False) -> Outcome:
        """Answer a request's body; `number` is the request's, from 1. Rate limits do not apply to a batch's line."""
        try:
            self.check_key(client)
            request = read_request(
                raw, deployment=client.deployment, refuse=self._settings.refuse, dialect=self.dialect
            )
            self.check_model(request.model, azure=request.azure)
            return self._complete(request, number, in_batch=in_batch)
        except RefusedError as error:
            return Outcome(self.refusal(error.reply))

    def embed(self, raw: bytes, client: Client, number: int) -> Outcome:
        """Answer a request for embeddings; `number` says which request it is, from 1."""
        try:
            self.check_key(client)
            request = read_embedding_request(raw, deployment=client.deployment)
            self.check_model(request.model, azure=request.azure)
            counts = [count_tokens(text) for text in request.texts]
            check_window(max(counts))
            asked = _as_chat(request)
            headers = self._pass_limits(asked, sum(counts))
        except RefusedError as error:
            return Outcome(self.refusal(error.reply))
        question = question_digest(request.model, "\n".join(request.texts))
        times_asked = self.stats.ask(question)
        faults = self._struck(request.model, number, question, times_asked)
        delivery = self._delivery(faults, f"{question}/{times_asked}")
        if (failed := self._failed(asked, faults, headers)) is not None:
            return Outcome(failed, delivery)
        self.stats.embeddings += 1
        self.stats.prompt_tokens += sum(counts)
        body = embeddings_body(request, sum(counts))
        return Outcome(Reply(200, body, {**self.dialect.headers, **headers}), delivery)

    def refusal(self, reply: Reply, model: str = "") -> Reply:
        """A refusal in the provider's words."""
        worded = self.dialect.in_its_words(reply, {"model": model})
        return replace(worded, headers={**self.dialect.headers, **reply.headers, **worded.headers})

    def window(self, model: str) -> int | None:
        """Maximum tokens of prompt and answer together; None if there is no limit."""
        return self._settings.window or self.dialect.window or profile_of(model).context_window

    def check_key(self, client: Client) -> None:
        """Accept only the right key.

        Raises:
            RefusedError: with 401.
        """
        if self._settings.api_key is not None and client.key != self._settings.api_key:
            raise RefusedError(wrong_key(client.key, azure=client.deployment is not None))

    def check_model(self, model: str, *, azure: bool = False) -> None:
        """Accept only known models.

        Raises:
            RefusedError: with 404.
        """
        if self._settings.models is not None and model not in self._settings.models:
            raise RefusedError(unknown_model(model, azure=azure))

    def answered(self, outcome: Outcome) -> None:
        """Record that an outcome is sent: what it wrote to the cache can be used from now on."""
        self.stats.statuses[outcome.reply.status] += 1
        if outcome.cache_use is not None:
            self._cache.write(outcome.cache_use)

    @property
    def _elapsed_s(self) -> float:
        return self._clock() - self._began

    def _complete(self, request: ChatRequest, number: int, *, in_batch: bool) -> Outcome:
        caching = caching_of(request.model, defaults.DIALECT) or AUTOMATIC_CACHING
        marked = tuple(mark for mark in request.breakpoints if mark.message < len(request.leading))
        prompt = read_prompt(request.leading, marked, answer_form(request), caching)
        rendered = _rendered(request, prompt, caching)
        prompt_tokens = rendered.tokens + ANSWER_OVERHEAD
        self._check_window(request, prompt_tokens)
        headers = {} if in_batch else self._pass_limits(request, prompt_tokens)
        question, times_asked = self._taken_up(request, is_packed=prompt.form.is_packed)
        faults = self._struck(request.model, number, question, times_asked)
        delivery = self._delivery(faults, f"{question}/{times_asked}")
        for fault in faults:
            if fault.kind in HEADER_FAULTS:
                headers = self._other_limits.headers(fault.kind, prompt_tokens + (request.max_tokens or 0))
        if (failed := self._failed(request, faults, headers)) is not None:
            return Outcome(failed, delivery)
        sampling = Sampling(request.temperature, f"{self._settings.seed}/{question}/{times_asked}")
        parts = read_parts(prompt, request.last[1], sampling)
        answer = self._said(request, parts, faults)
        answer, answer_tokens = _within(answer, request.max_tokens)
        if answer.thinking:
            answer = replace(answer, thinking_tokens=answer.thinking_tokens or count_tokens(answer.thinking))
        answer_tokens += answer.thinking_tokens
        owner = (request.model, request.cache_key, prompt.form)
        is_cached = self._settings.batch_cache or not in_batch
        cache_use = self._cache.look_up(owner, rendered.marks, caching) if is_cached else CacheUse(0, 0, ())
        self._count(prompt_tokens, cache_use, answer_tokens)
        spans, top = spans_in(answer.content or "", parts), request.top_logprobs
        logprobs = None if top is None else answer_logprobs(answer, spans, top)
        body = self._completion(answer, logprobs, _usage(prompt_tokens, answer_tokens, cache_use))
        return Outcome(Reply(200, body, {**self.dialect.headers, **headers}), delivery, cache_use)

    def _failed(self, request: ChatRequest, faults: list[Fault], headers: dict[str, str]) -> Reply | None:
        """The error that a fault puts in the answer's place, if one does."""
        for fault in faults:
            if (error_fault := ERRORS.get(fault.kind)) is not None:
                window = self.window(request.model) or _ANY_WINDOW
                reply = error_fault(request, {**fault.parameters, "window": window})
                reply = replace(reply, kind=fault.kind, headers={**headers, **reply.headers})
                is_worded = fault.kind in _AS_IT_IS and fault.kind not in self.dialect.errors
                return reply if is_worded else self.refusal(reply, request.model)
        return None

    def _said(self, request: ChatRequest, parts: list[Part], faults: list[Fault]) -> Answer:
        """The answer including faults, given the part about each document."""
        answer = Answer(request.model, content_of(parts), service_tier=request.service_tier)
        if self.dialect.thinking:
            answer = replace(answer, thinking=first_idea(parts[0].verdict), thinking_place=self.dialect.thinking)
        for fault in faults:
            if (answer_fault := ANSWERS.get(fault.kind)) is not None:
                answer = spoilt(fault.kind, answer_fault, answer, parts)
            elif (usage_fault := USAGE_FAULTS.get(fault.kind)) is not None:
                answer = usage_fault(answer)
        return answer

    def _taken_up(self, request: ChatRequest, *, is_packed: bool) -> tuple[str, int]:
        """Digest of a question, and how often it was asked; for several documents, the most any of them was asked."""
        message = request.last[1]
        if not is_packed:
            question = question_digest(request.model, unfenced(message))
            return question, self.stats.ask(question)
        times = [self.stats.ask(question_digest(request.model, text)) for _, text in documents_in(message)]
        return question_digest(request.model, message), max(times, default=1)

    def _check_window(self, request: ChatRequest, prompt_tokens: int) -> None:
        window = self.window(request.model)
        if window is not None and prompt_tokens + (request.max_tokens or 0) > window:
            raise RefusedError(too_long(window, prompt_tokens, request.max_tokens or 0))

    def _pass_limits(self, request: ChatRequest, prompt_tokens: int) -> dict[str, str]:
        # OpenAI counts the full output limit as used, whatever the answer's length.
        tokens = prompt_tokens + (request.max_tokens or 0)
        exceeded = self._limits.take(tokens)
        headers = self._stated(tokens) if self._settings.states_limits else {}
        if exceeded is None:
            self.stats.tokens_by_second[int(self._elapsed_s)] += tokens
            return headers
        self.stats.refused_by_second[int(self._elapsed_s)] += 1
        reply = _limit_reply(request.model, exceeded)
        raise RefusedError(replace(reply, headers={**headers, **reply.headers}))

    def _struck(self, model: str, number: int, question: str, times_asked: int) -> list[Fault]:
        if not self._settings.faults or self._settings.faulty_model not in (None, model):
            return []
        faults = struck(
            self._settings.faults,
            seed=self._settings.seed,
            number=number,
            elapsed_s=self._elapsed_s,
            question=question,
            times_asked=times_asked,
        )
        self.stats.faults.update(fault.kind for fault in faults)
        return faults

    def _delivery(self, faults: list[Fault], draw: str) -> Delivery:
        latency_s = _latency_s(self._settings, draw)
        for fault in faults:
            if (wire_fault := WIRE_FAULTS.get(fault.kind)) is not None:
                delivery = wire_fault(fault.parameters)
                return Delivery(delivery.manner, delivery.wait_s + latency_s, delivery.spread_s)
        return Delivery(wait_s=latency_s) if latency_s else _AT_ONCE

    def _count(self, prompt_tokens: int, cache_use: CacheUse, completion_tokens: int) -> None:
        self.stats.prompt_tokens += prompt_tokens
        self.stats.cached_tokens += cache_use.cached_tokens
        self.stats.cache_write_tokens += cache_use.write_tokens
        self.stats.completion_tokens += completion_tokens

    def _completion(self, answer: Answer, logprobs: dict[str, Any] | None, usage: dict[str, Any]) -> bytes:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": answer.content,
            "refusal": answer.refusal,
            "annotations": [],
        }
        completion: dict[str, Any] = {
            "id": f"chatcmpl-{self._instance}{next(self._ids):015x}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": answer.model,
            "choices": [{"index": 0, "message": message, "logprobs": logprobs, "finish_reason": answer.finish_reason}],
            "system_fingerprint": "fp_offline",
        }
        if answer.service_tier is not None:
            completion["service_tier"] = answer.service_tier
        if answer.thinking:
            usage["completion_tokens_details"]["reasoning_tokens"] = answer.thinking_tokens
        if (reported := answer.usage(usage)) is not None:
            completion["usage"] = reported
        return orjson.dumps(self.dialect.shaped(completion, answer.thinking, answer.thinking_place))


def _as_chat(request: EmbeddingRequest) -> ChatRequest:
    """The request as limits and errors look at it."""
    return ChatRequest(request.model, (), ("user", "\n".join(request.texts)), None, None, request.azure)


def _rendered(request: ChatRequest, prompt: Prompt, caching: PromptCaching) -> PromptDigest:
    """The whole prompt, as the model sees it."""
    last, (role, text) = len(request.leading), request.last
    rendered = prompt.digest.with_last(role, text, (m.characters for m in request.breakpoints if m.message == last))
    if caching.breakpoints and request.marks_last:
        rendered.mark()
    return rendered


def _limit_reply(model: str, exceeded: Exceeded) -> Reply:
    if exceeded.wait_s is None:
        return too_large(model, exceeded.limit, exceeded.requested)
    short = {"requests": "RPM", "tokens": "TPM"}[exceeded.kind]
    message = (
        f"Rate limit reached for {model} in organization org-offline on {exceeded.kind} per min ({short}): "
        f"Limit {exceeded.limit}, Used {exceeded.used}, Requested {exceeded.requested}. "
        f"Please try again in {as_duration(exceeded.wait_s)}."
    )
    return rate_limited(message, exceeded.kind, exceeded.wait_s)


def _latency_s(settings: SimulatorSettings, draw: str) -> float:
    """Log-normal with the requested mean."""
    if not settings.latency_s:
        return 0.0
    share = min(max(uniform(f"{settings.seed}/latency/{draw}"), 1e-9), 1 - 1e-9)
    deviation = settings.jitter * NormalDist().inv_cdf(share)
    return settings.latency_s * math.exp(deviation - settings.jitter**2 / 2)


def _within(answer: Answer, max_tokens: int | None) -> tuple[Answer, int]:
    """The answer, truncated at the output limit, and its tokens."""
    text = answer.content or answer.refusal or ""
    tokens = count_tokens(text)
    if max_tokens is None or tokens <= max_tokens or not answer.content:
        return answer, tokens
    end = bisect_right(range(len(text)), max_tokens, key=lambda length: count_tokens(text[:length])) - 1
    return replace(answer, content=text[:end], finish_reason="length"), max_tokens


def _usage(prompt_tokens: int, completion_tokens: int, cache_use: CacheUse) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {
            "cached_tokens": cache_use.cached_tokens,
            "cache_write_tokens": cache_use.write_tokens,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
