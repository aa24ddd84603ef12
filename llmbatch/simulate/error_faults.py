"""Faults that replace the answer with an error: each is a function from the request to the reply.

In addition to a fault's own parameters, each gets the `window` of the model, in tokens.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import orjson

from llmbatch.simulate.reply import Reply, error_reply, html_reply, retry_headers

if TYPE_CHECKING:
    from llmbatch.simulate.request import ChatRequest

Parameters = Mapping[str, float]
ErrorFault = Callable[["ChatRequest", Parameters], Reply]


_TOO_MANY = 2_211


def wrong_key(key: str | None, *, azure: bool) -> Reply:
    """401 as OpenAI and Azure word it. OpenAI echoes the ends of the key, and so does this."""
    if azure:
        message = (
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key "
            "for an active subscription and use a correct regional API endpoint for your resource."
        )
        return Reply(401, orjson.dumps({"error": {"code": "401", "message": message}}), kind="auth")
    if not key:
        return error_reply(
            401,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using "
            "Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            fault="auth",
        )
    masked = f"{key[:3]}{'*' * max(len(key) - 7, 3)}{key[-4:]}"
    return error_reply(
        401,
        f"Incorrect API key provided: {masked}. You can find your API key at "
        "https://platform.openai.com/account/api-keys.",
        code="invalid_api_key",
        fault="auth",
    )


def unknown_model(model: str, *, azure: bool) -> Reply:
    """404 for a model or a deployment that does not exist."""
    if azure:
        return error_reply(
            404,
            "The API deployment for this resource does not exist. If you created the deployment within the last "
            "5 minutes, please wait a moment and try again.",
            code="DeploymentNotFound",
            fault="model_not_found",
            model=model,
        )
    message = f"The model `{model}` does not exist or you do not have access to it."
    return error_reply(404, message, code="model_not_found", fault="model_not_found", model=model)


def rate_limited(message: str, kind: str, wait_s: float | None) -> Reply:
    """429 of a rate limit; `kind` is the exhausted one, `requests` or `tokens`."""
    if wait_s is None:
        return error_reply(429, message, kind=kind, code="rate_limit_exceeded")
    headers, wait = retry_headers(wait_s), f"{wait_s:g}"
    return error_reply(
        429, message, kind=kind, code="rate_limit_exceeded", headers=headers, fault="rate_limit", wait_s=wait
    )


def too_large(model: str, limit: int, requested: int) -> Reply:
    """429 for a request for which waiting does not help."""
    message = (
        f"Request too large for {model} in organization org-offline on tokens per min (TPM): Limit {limit}, "
        f"Requested {requested}. The input or output tokens must be reduced in order to run successfully."
    )
    return error_reply(429, message, kind="tokens", code="rate_limit_exceeded")


def too_long(window: int, prompt_tokens: int, answer_tokens: int) -> Reply:
    """400 for a prompt that leaves no room in the model's window for its output limit."""
    if prompt_tokens > window:
        message = f"your messages resulted in {prompt_tokens} tokens. Please reduce the length of the messages."
    else:
        message = (
            f"you requested {prompt_tokens + answer_tokens} tokens ({prompt_tokens} in the messages, {answer_tokens} "
            "in the completion). Please reduce the length of the messages or completion."
        )
    return error_reply(
        400,
        f"This model's maximum context length is {window} tokens. However, {message}",
        param="messages",
        code="context_length_exceeded",
        fault="context_length",
        window=window,
        tokens=prompt_tokens,
        answer_tokens=answer_tokens,
        requested=prompt_tokens + answer_tokens,
    )


def _rate_limit(request: "ChatRequest", parameters: Parameters) -> Reply:
    wait_s = parameters["retry_after"]
    return rate_limited(_limit_message(request, f" Please try again in {wait_s:g}s."), "requests", wait_s)


def _rate_limit_bare(request: "ChatRequest", _: Parameters) -> Reply:
    return rate_limited(_limit_message(request, ""), "requests", None)


def _limit_message(request: "ChatRequest", ending: str) -> str:
    return (
        f"Rate limit reached for {request.model} in organization org-offline on requests per min (RPM): "
        f"Limit 500, Used 500, Requested 1.{ending}"
    )


def _rate_limit_html(_: "ChatRequest", __: Parameters) -> Reply:
    return html_reply(429, "429 Too Many Requests", "You have sent too many requests. Try again later.")


def _quota(_: "ChatRequest", __: Parameters) -> Reply:
    message = (
        "You exceeded your current quota, please check your plan and billing details. For more information on this "
        "error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
    )
    return error_reply(429, message, kind="insufficient_quota", code="insufficient_quota")


def _too_large_request(request: "ChatRequest", _: Parameters) -> Reply:
    return too_large(request.model, 30_000, 48_211)


def _server_error(_: "ChatRequest", __: Parameters) -> Reply:
    message = "The server had an error while processing your request. Sorry about that!"
    return error_reply(500, message, kind="server_error")


def _bad_gateway(_: "ChatRequest", __: Parameters) -> Reply:
    return html_reply(502, "502 Bad Gateway", "The upstream server sent no valid answer.")


def _overloaded(_: "ChatRequest", __: Parameters) -> Reply:
    return error_reply(503, "The engine is currently overloaded, please try again later", kind="server_error")


def _auth(request: "ChatRequest", _: Parameters) -> Reply:
    return wrong_key("sk-offline-0000-revoked", azure=request.azure)


def _forbidden(request: "ChatRequest", _: Parameters) -> Reply:
    message = f"Project `proj_offline` does not have access to model `{request.model}`"
    return error_reply(403, message, code="model_not_allowed")


def _model_not_found(request: "ChatRequest", _: Parameters) -> Reply:
    return unknown_model(request.model, azure=request.azure)


def _context_length(_: "ChatRequest", parameters: Parameters) -> Reply:
    window = int(parameters["window"])
    return too_long(window, window + _TOO_MANY, 0)


def _content_policy(request: "ChatRequest", _: Parameters) -> Reply:
    if not request.azure:
        message = "Your request was rejected as a result of our safety system."
        return error_reply(400, message, code="content_policy_violation")
    error = {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
        "Please modify your prompt and retry.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {"violence": {"filtered": True, "severity": "medium"}},
        },
    }
    return Reply(400, orjson.dumps({"error": error}))


def _redirect(_: "ChatRequest", __: Parameters) -> Reply:
    # To a port without a listener: a client that follows the redirect sends the document nowhere.
    return Reply(307, b"", {"location": "http://127.0.0.1:9/v1/chat/completions"}, "text/plain")


def _not_json(_: "ChatRequest", __: Parameters) -> Reply:
    return html_reply(200, "Sign in to the network", "Accept the terms of use to go on.")


def _conflict(_: "ChatRequest", __: Parameters) -> Reply:
    return error_reply(409, "The request conflicts with another one. Please try again.", code="conflict")


def _request_timeout(_: "ChatRequest", __: Parameters) -> Reply:
    return error_reply(408, "Request timed out.", kind="timeout", code="request_timeout")


def _unprocessable(_: "ChatRequest", __: Parameters) -> Reply:
    return error_reply(422, "The request was well-formed but could not be processed.")


ERROR_FAULTS: dict[str, ErrorFault] = {
    "rate_limit": _rate_limit,
    "rate_limit_bare": _rate_limit_bare,
    "rate_limit_html": _rate_limit_html,
    "quota": _quota,
    "too_large_request": _too_large_request,
    "server_error": _server_error,
    "bad_gateway": _bad_gateway,
    "overloaded": _overloaded,
    "auth": _auth,
    "forbidden": _forbidden,
    "model_not_found": _model_not_found,
    "context_length": _context_length,
    "content_policy": _content_policy,
    "redirect": _redirect,
    "not_json": _not_json,
    "conflict": _conflict,
    "request_timeout": _request_timeout,
    "unprocessable": _unprocessable,
}
