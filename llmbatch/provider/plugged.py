"""Wire protocols by name: built-in ones, and those from other packages' entry points `llmbatch.dialects`."""

from collections.abc import Mapping

from llmbatch.core.errors import UsageError
from llmbatch.core.plugins import DIALECTS, Plugin, find_plugin, plugin_names
from llmbatch.provider.anthropic import AnthropicMessages
from llmbatch.provider.completion import Completion, ErrorInAnswerError, NotACompletionError
from llmbatch.provider.dialect import CHAT_COMPLETIONS, Dialect, Encoder
from llmbatch.provider.failures import Failure
from llmbatch.provider.limits import StatedLimit
from llmbatch.provider.request import Question
from llmbatch.provider.shape import RequestShape

_OWN: Mapping[str, Dialect] = {one.name: one for one in (CHAT_COMPLETIONS, AnthropicMessages())}
_PARTS = ("path", "headers", "encoder", "decode", "judge", "judge_answer", "limits", "fallback")


def dialect_named(name: str) -> Dialect:
    """Find a wire protocol by name.

    Raises:
        UsageError: it does not exist, or is a plug-in that cannot be used.
    """
    if name in _OWN:
        return _OWN[name]
    plugin = find_plugin(DIALECTS, name)
    if plugin is None:
        names = (*_OWN, *plugin_names(DIALECTS))
        raise UsageError(f"--dialect {name!r} is unknown", hint=f"use {', '.join(names)}")
    plugin.check({**dict.fromkeys(_PARTS), "key_variable": str})
    return _PluggedDialect(plugin)


class _PluggedDialect:
    """Forwards everything to a plug-in, and attributes errors to it."""

    def __init__(self, plugin: Plugin) -> None:
        self.name = plugin.name
        self._plugin = plugin
        self._dialect: Dialect = plugin.part
        self.base_url = self._dialect.base_url
        self.key_variable = self._dialect.key_variable

    def path(self, model: str, *, deployment: bool) -> str:
        with self._plugin.blamed():
            return self._dialect.path(model, deployment=deployment)

    def headers(self, api_key: str) -> Mapping[str, str] | None:
        with self._plugin.blamed():
            return self._dialect.headers(api_key)

    def encoder(self, question: Question) -> Encoder:
        with self._plugin.blamed():
            return _PluggedEncoder(self._plugin, self._dialect.encoder(question))

    def decode(self, body: bytes, headers: Mapping[str, str]) -> Completion:
        """An answer that the plug-in cannot read counts as unusable, so that one bad answer does not end the run."""
        try:
            completion = self._dialect.decode(body, headers)
        except (NotACompletionError, ErrorInAnswerError):
            raise
        except Exception as error:
            raise NotACompletionError(f"an answer that dialect {self.name!r} cannot read ({error!r:.80})") from error
        if not isinstance(completion, Completion):
            raise self._plugin.failure(f"decode() returned {type(completion).__name__} instead of a Completion")
        return completion

    def judge(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        with self._plugin.blamed():
            return self._dialect.judge(status, headers, body)

    def judge_answer(self, completion: Completion) -> Failure | None:
        with self._plugin.blamed():
            return self._dialect.judge_answer(completion)

    def limits(self, headers: Mapping[str, str]) -> tuple[StatedLimit, ...]:
        with self._plugin.blamed():
            return self._dialect.limits(headers)

    def fallback(self, shape: RequestShape, parameter: str, message: str) -> RequestShape | None:
        with self._plugin.blamed():
            return self._dialect.fallback(shape, parameter, message)


class _PluggedEncoder:
    def __init__(self, plugin: Plugin, encoder: Encoder) -> None:
        self._plugin = plugin
        self._encoder = encoder

    def encode(self, text: str, shape: RequestShape, *, before: str = "") -> bytes:
        with self._plugin.blamed():
            body = self._encoder.encode(text, shape, before=before) if before else self._encoder.encode(text, shape)
        if not isinstance(body, bytes):
            raise self._plugin.failure(f"encode() returned {type(body).__name__} instead of bytes")
        return body
