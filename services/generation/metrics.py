"""What the generation service measures of its calls and sequences, under OpenTelemetry's names where they exist."""

from collections.abc import Iterable
from typing import Protocol

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import (
    GEN_AI_OPERATION_NAME,
    GEN_AI_PROVIDER_NAME,
    GEN_AI_REQUEST_MODEL,
)
from opentelemetry.semconv._incubating.metrics.gen_ai_metrics import (
    GEN_AI_SERVER_REQUEST_DURATION,
    GEN_AI_SERVER_TIME_PER_OUTPUT_TOKEN,
    GEN_AI_SERVER_TIME_TO_FIRST_TOKEN,
)

from services.generation.engine import Completion, Engine, ModelInfo
from shared.telemetry.metrics import METER, SECONDS, SIZES

# From 0.1 ms: an engine full of short sequences waits little and decodes fast.
_SHORT_SECONDS = (0.0001, 0.0005, 0.001, 0.0025, *SECONDS)

_REQUEST = METER.create_histogram(
    GEN_AI_SERVER_REQUEST_DURATION,
    "s",
    "From a sequence's arrival at the engine to its last token.",
    explicit_bucket_boundaries_advisory=SECONDS,
)
_FIRST_TOKEN = METER.create_histogram(
    GEN_AI_SERVER_TIME_TO_FIRST_TOKEN,
    "s",
    "From a sequence's arrival at the engine to its first token.",
    explicit_bucket_boundaries_advisory=_SHORT_SECONDS,
)
_PER_TOKEN = METER.create_histogram(
    GEN_AI_SERVER_TIME_PER_OUTPUT_TOKEN,
    "s",
    "Between tokens of a sequence after its first.",
    explicit_bucket_boundaries_advisory=_SHORT_SECONDS,
)
_QUEUE = METER.create_histogram(
    "darwin.generation.queue.duration",
    "s",
    "How long the engine let a sequence wait before its first step.",
    explicit_bucket_boundaries_advisory=_SHORT_SECONDS,
)
_BATCH = METER.create_histogram(
    "darwin.generation.batch.size",
    "{sequence}",
    "Sequences of one call.",
    explicit_bucket_boundaries_advisory=SIZES,
)
_TOKENS = METER.create_counter(
    "darwin.generation.tokens", "{token}", "Tokens given that were reused (cached) or computed, and tokens sampled."
)

_PROMPTS = METER.create_counter(
    "darwin.generation.prompts",
    "{prompt}",
    "Prompts of sequences: rendered and tokenised (encoded), or known from an earlier call (reused).",
)


class _Waiting(Protocol):
    @property
    def waiting_tokens(self) -> int: ...


def watch(engine: Engine, generator: _Waiting) -> None:
    """Shows how much the engine holds; once per process."""

    def held(options: CallbackOptions) -> Iterable[Observation]:
        waiting = engine.waiting
        yield Observation(waiting, {"state": "waiting"})
        yield Observation(max(0, engine.running - waiting), {"state": "running"})

    METER.create_observable_gauge(
        "darwin.generation.sequences", [held], "{sequence}", "Sequences that the engine holds."
    )
    METER.create_observable_gauge(
        "darwin.generation.tokens.waiting",
        [lambda options: [Observation(generator.waiting_tokens)]],
        "{token}",
        "Tokens that waiting sequences may sample.",
    )


def called(sequences: int) -> None:
    """A call arrived."""
    _BATCH.record(sequences)


def prompted(reused: bool) -> None:
    """A prompt's ids were made, or known from an earlier call."""
    _PROMPTS.add(1, {"outcome": "reused" if reused else "encoded"})


def completed(info: ModelInfo, given: int, seconds: float, completion: Completion) -> None:
    """The engine continued `given` ids within `seconds`."""
    attributes = {
        GEN_AI_OPERATION_NAME: "text_completion",
        GEN_AI_PROVIDER_NAME: info.engine,
        GEN_AI_REQUEST_MODEL: info.model,
    }
    sampled, first_s = len(completion.token_ids), completion.first_token_seconds
    _REQUEST.record(seconds, attributes)
    if first_s is not None:
        _FIRST_TOKEN.record(first_s, attributes)
        if sampled > 1:
            _PER_TOKEN.record(max(0.0, seconds - first_s) / (sampled - 1), attributes)
    if completion.queue_seconds is not None:
        _QUEUE.record(completion.queue_seconds)
    _TOKENS.add(completion.cached_tokens, {"kind": "cached"})
    _TOKENS.add(max(0, given - completion.cached_tokens), {"kind": "computed"})
    _TOKENS.add(sampled, {"kind": "sampled"})
