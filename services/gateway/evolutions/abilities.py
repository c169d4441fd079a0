"""What a search needs of this deployment's generation beyond decoding a response in one piece."""

from collections.abc import Collection

from shared.errors import Unsupported
from shared.methods import IN_ONE_PIECE, METHODS, Ability, Method
from shared.records.evolution import EvolutionRequest
from shared.records.search import in_rounds
from shared.records.turns import prefill_of


def performs(method: Method, lacks: Collection[Ability]) -> bool:
    """Whether a method can be performed at all by a generation that `lacks` so much."""
    return not (METHODS[method].replaces and "continues" in lacks)


def check_abilities(request: EvolutionRequest, lacks: Collection[Ability]) -> None:
    """Refuses, before anything is spent, what a generation that `lacks` so much would refuse.

    Raises:
        Unsupported: the method, the beginning of an answer or the raw prompt; names the field to change.
    """
    if not performs(request.method, lacks):
        raise Unsupported(
            f"{request.method} decodes a response in pieces, and the language model of this deployment continues none: "
            f"choose a model that decodes each response in one piece ({IN_ONE_PIECE}), or a name of GET /v1/models "
            "that stands for one",
            field="model",
        )
    if "continues" in lacks and in_rounds(request.method, request.search):
        raise Unsupported(
            "a population that shrinks is decoded in pieces, and the language model of this deployment continues none: "
            "leave darwin.shrink out",
            field="darwin.shrink",
        )
    if "continues" in lacks and prefill_of(request.messages):
        raise Unsupported(
            "the language model of this deployment cannot continue the beginning of an answer: leave the assistant's "
            "last message out",
            field="messages",
        )
    if "raw_prompts" in lacks and request.raw_prompt is not None:
        raise Unsupported(
            "the language model of this deployment takes chats only, and no prompt without a template: use "
            "POST /v1/chat/completions",
            field="prompt",
        )
