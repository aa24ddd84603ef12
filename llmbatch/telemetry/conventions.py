"""Names of attributes and metrics: OpenTelemetry's for generative AI if there is one, otherwise `llmbatch.*`.

The names are written out, since OpenTelemetry's Python package is marked unstable and renames its constants; a test
checks them against it.
"""

from typing import Final
from urllib.parse import urlsplit

from llmbatch.observe.observer import RunStarted

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
SERVICE_TIER: Final = "openai.response.service_tier"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHED_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - a kind of token, no password
ERROR_TYPE: Final = "error.type"
STATUS_CODE: Final = "http.response.status_code"
SERVER: Final = "server.address"
PORT: Final = "server.port"

RUN_ID: Final = "llmbatch.run.id"
TASK: Final = "llmbatch.task"
STATUS: Final = "llmbatch.status"
PARSE: Final = "llmbatch.parse"

DURATION: Final = "gen_ai.client.operation.duration"
TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105 - as above

CHAT: Final = "chat"

_PORTS = {"http": 80, "https": 443}


def request_attributes(run: RunStarted) -> dict[str, str | int]:
    """What all requests of a run share."""
    shared: dict[str, str | int] = {OPERATION: CHAT, PROVIDER: "openai", REQUEST_MODEL: run.model}
    where = urlsplit(run.endpoint)
    if where.hostname:
        shared |= {SERVER: where.hostname, PORT: where.port or _PORTS.get(where.scheme, 0)}
    return shared
