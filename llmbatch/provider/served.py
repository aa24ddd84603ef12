"""Which models an endpoint serves, and with what window, from its `/models`: requested once, before a run is planned.

Few servers state a window, each under its own name. Errors here are not failures: the window then stays unknown.
"""

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, NoReturn

from llmbatch.provider.client import Endpoint

_TIMEOUT_S = 5.0
_LARGEST = 4 << 20
_WINDOWS = ("max_model_len", "context_length", "context_window", "max_context_length", "n_ctx", "n_ctx_train")
"""vLLM and SGLang; OpenRouter and Together; Groq; Mistral and LM Studio; llama.cpp (`meta.n_ctx`)."""
_LEAST, _MOST = 256, 1 << 31


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One model of an endpoint."""

    name: str
    window: int | None
    """Tokens of prompt and answer together; None if it is not stated."""


def served_models(endpoint: Endpoint) -> tuple[ServedModel, ...]:
    """The models that an endpoint lists; empty if it lists none or cannot be reached."""
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked with the endpoint
        f"{endpoint.base_url}/models",
        headers={**_credentials(endpoint), "Accept": "application/json"},
    )
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if endpoint.on_loopback:
        handlers.append(urllib.request.ProxyHandler({}))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT_S) as answer:
            listed = json.loads(answer.read(_LARGEST))
    except (OSError, HTTPException, ValueError, RecursionError):
        return ()
    models = listed.get("data") if isinstance(listed, dict) else listed
    if not isinstance(models, list):
        return ()
    return tuple(
        ServedModel(model["id"], _window(model))
        for model in models
        if isinstance(model, dict) and isinstance(model.get("id"), str)
    )


def _credentials(endpoint: Endpoint) -> Mapping[str, str]:
    headers = endpoint.dialect.headers(endpoint.api_key)
    return {"Authorization": f"Bearer {endpoint.api_key}"} if headers is None else headers


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another host."""

    def redirect_request(self, *_: Any) -> NoReturn:
        raise HTTPException("redirected")


def _window(model: Mapping[str, Any]) -> int | None:
    meta = model.get("meta")
    places = (model, meta) if isinstance(meta, Mapping) else (model,)
    found = (place.get(name) for name in _WINDOWS for place in places)
    return next((n for n in found if isinstance(n, int) and not isinstance(n, bool) and _LEAST <= n <= _MOST), None)
