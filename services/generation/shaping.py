"""Checks what of a request shapes sampling beyond temperature, top_p and top_k: ranges, and what the engine can do."""

from services.generation.engine import ModelInfo
from services.generation.messages import GenerateRequest, SamplingOptions, Sequence
from shared.errors import InvalidRequest, Unsupported
from shared.records.limits import (
    LEAST_REPETITION_PENALTY,
    MAX_BIAS,
    MAX_BIASES,
    MAX_PENALTY,
    MAX_REPETITION_PENALTY,
)
from shared.records.turns import prefill_of

_RANGES = {
    "presence_penalty": (-MAX_PENALTY, MAX_PENALTY),
    "frequency_penalty": (-MAX_PENALTY, MAX_PENALTY),
    "repetition_penalty": (LEAST_REPETITION_PENALTY, MAX_REPETITION_PENALTY),
    "min_p": (0.0, 1.0),
}
_IN_ONE_PIECE = "use a method that decodes each response in one piece (sample, best-of-n or mutation-only)"


def check_shaping(request: GenerateRequest, info: ModelInfo) -> None:
    """Raises InvalidRequest, naming the field, unless each value is in its range and each biased token is known.

    Raises:
        Unsupported: the engine cannot obey one that has an effect.
    """
    sampling = request.sampling
    for name, (least, most) in _RANGES.items():
        value = getattr(sampling, name)
        if not least <= value <= most:
            raise InvalidRequest(
                f"{name} must lie in [{least:g}, {most:g}], not be {value:g}", field=f"sampling.{name}"
            )
    _check_biases(sampling, info)
    if sampling.ignore_eos and (sampling.format is not None or request.must_call):
        raise InvalidRequest(
            "ignore_eos goes with no format and no demanded call: these end where their form does",
            field="sampling.ignore_eos",
        )
    for name in sampling.shaping:
        if name in info.cannot_obey:
            raise Unsupported(
                f"the {info.engine} engine of this deployment cannot obey {name}: leave it out",
                field=f"sampling.{name}",
            )


def check_pieces(sampling: SamplingOptions, sequence: Sequence, info: ModelInfo) -> None:
    """Raises Unsupported where the sequence is a piece of a response that the engine must decode at once."""
    held_up = uncontinued(sampling, info)
    if not info.continues:
        if prefill_of(sequence.messages):
            raise Unsupported(
                f"the {info.engine} engine of this deployment cannot continue the beginning of an answer: leave the "
                "assistant's last message out",
                field="messages",
            )
    elif held_up is None:
        return
    if sequence.response_token_ids or sequence.to_be_continued or sequence.lookahead_tokens:
        what = " under a format" if held_up == "format" else f" under {held_up}, which would not know what it held"
        raise Unsupported(
            f"the {info.engine} engine of this deployment cannot continue a response"
            f"{what if info.continues else ''}: {_IN_ONE_PIECE}",
            field=f"sampling.{held_up}" if info.continues else "model",
        )


def uncontinued(sampling: SamplingOptions, info: ModelInfo) -> str | None:
    """The name of a field of the sampling under which the engine cannot continue a response; None where it can."""
    if sampling.format is not None and not info.continues_formats:
        return "format"
    return next((name for name in sampling.shaping if name in info.cannot_continue), None)


def _check_biases(sampling: SamplingOptions, info: ModelInfo) -> None:
    field = "sampling.logit_bias"
    if len(sampling.logit_bias) > MAX_BIASES:
        raise InvalidRequest(f"at most {MAX_BIASES} biases, not {len(sampling.logit_bias)}", field=field)
    for token, bias in sampling.logit_bias.items():
        if not 0 <= token < info.vocabulary_size:
            raise InvalidRequest(
                f"logit_bias holds the token id {token}, which is not in the model's vocabulary: ids are below "
                f"{info.vocabulary_size}",
                field=field,
            )
        if not -MAX_BIAS <= bias <= MAX_BIAS:
            raise InvalidRequest(
                f"logit_bias must lie in [{-MAX_BIAS:g}, {MAX_BIAS:g}], not be {bias:g} for token {token}", field=field
            )
