"""Settings of an offline endpoint."""

from dataclasses import dataclass

from llmbatch.simulate.fault import Fault


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """How the offline endpoint behaves. With the defaults it answers every request immediately, from anyone."""

    seed: int = 0
    """Other seeds draw other faults and other latencies."""
    latency_s: float = 0.0
    """Mean latency of an answer in seconds."""
    jitter: float = 0.25
    """Spread of the latency: the standard deviation of its logarithm, which gives it a long tail as in practice."""
    faults: tuple[Fault, ...] = ()
    faulty_model: str | None = None
    """The only model whose requests get faults; None for all."""
    rpm: int | None = None
    """Requests per minute, enforced; None reports a generous limit and enforces none."""
    tpm: int | None = None
    """Tokens per minute (prompt and output limit together), enforced; None as for `rpm`."""
    states_limits: bool = True
    """Whether answers have `x-ratelimit-*` headers; some compatible servers refuse without having stated a limit."""
    api_key: str | None = None
    """The only key that is accepted; None accepts any key, or none."""
    models: tuple[str, ...] | None = None
    """The only models (or Azure deployments) that exist; None serves every name."""
    window: int | None = None
    """Tokens of prompt and answer together; None for the model's known window, or no limit if that is unknown."""
    dialect: str = "openai"
    """The provider that it imitates."""
    refuse: frozenset[str] = frozenset()
    """Parameters that are answered with 400, and `json_schema` or `json_object` as a response format's type."""
    cache_ttl_s: float | None = None
    """Seconds for which a prompt's beginning stays cached after its last use; None for the model's own time."""
    batch_delay_s: float = 0.0
    """Seconds until a batch's lines are answered."""
    batch_cache: bool = False
    """Whether a batch's lines use the prompt cache. No provider guarantees it."""
    enqueued_tokens: int | None = None
    """Prompt tokens that a model's unfinished batches may have together; None for no limit."""
