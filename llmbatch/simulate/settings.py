"""Settings of an offline endpoint."""

from dataclasses import dataclass

from llmbatch.simulate.fault import Fault


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """How the offline endpoint behaves. With the defaults it answers at once, everything, to everyone."""

    seed: int = 0
    """Other seeds draw other faults and other latencies."""
    latency_s: float = 0.0
    """Seconds that an answer takes on average."""
    jitter: float = 0.25
    """Spread of the latency: the standard deviation of its logarithm, so that it has the long tail of real ones."""
    faults: tuple[Fault, ...] = ()
    faulty_model: str | None = None
    """The only model whose requests meet faults; None for all."""
    rpm: int | None = None
    """Requests a minute, enforced; None reports a generous limit and enforces none."""
    tpm: int | None = None
    """Tokens a minute (prompt and output limit together), enforced; None as for `rpm`."""
    states_limits: bool = True
    """Whether answers carry `x-ratelimit-*` headers; some compatible servers refuse without having said a word."""
    api_key: str | None = None
    """The only key that is taken; None takes any, and none."""
    models: tuple[str, ...] | None = None
    """The only models (or Azure deployments) that exist; None serves every name."""
    window: int | None = None
    """Tokens of prompt and answer together; None for what is known of the model, and no limit where nothing is."""
    dialect: str = "openai"
    """The maker whose ways and words it has."""
    refuse: frozenset[str] = frozenset()
    """Parameters that are answered with 400, and `json_schema` or `json_object` as a response format's type."""
    cache_ttl_s: float | None = None
    """Seconds for which a prompt's beginning stays cached after its last use; None for as long as the model's does."""
    batch_delay_s: float = 0.0
    """Seconds until a batch's lines are answered."""
    batch_cache: bool = False
    """Whether a batch's lines meet the prompt cache. No provider promises it."""
    enqueued_tokens: int | None = None
    """Prompt tokens that a model's unfinished batches may have together; None for no limit."""
