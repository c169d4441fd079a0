"""Completions of an endpoint that is asked by chats: its text as ids of our tokenizer, and tokens as it counts them."""

from services.generation.endpoint.finish_reasons import FinishReasons
from services.generation.endpoint.responses import CompletionResponse
from services.generation.engine import Completion, TokenSequence
from services.generation.probed_endpoint import ProbedEndpoint
from shared.errors import Unavailable
from shared.records.limits import MAX_NEW_TOKENS
from shared.records.turns import prefill_of


def chat_completion(
    known: ProbedEndpoint, reasons: FinishReasons, sequence: TokenSequence, response: CompletionResponse
) -> Completion:
    """What the response adds to the sequence. Where no text came, the response has ended: another request would bring
    none either.

    Raises:
        Unavailable: the endpoint has dropped the sequence.
    """
    choice = response.choices[0]
    text = choice.text or ""
    if known.capabilities.repeats:
        text = text.removeprefix(prefill_of(sequence.messages) + known.checkpoint.chat.decode(sequence.response))
    ids = known.text.cut(known.text.added(sequence.token_ids, text), MAX_NEW_TOKENS)
    counted = len(ids) if response.completion_tokens is None else response.completion_tokens
    ending = reasons.read(choice.finish_reason, counted, sequence.max_new_tokens)
    if ending == "lost":
        raise Unavailable("the endpoint has dropped the sequence; come back later")
    if ending == "ended" or not ids:
        ids = (*ids, min(known.info.end_ids))
    prompt = response.prompt_tokens
    return Completion(
        ids,
        response.cached_tokens,
        counted=max(counted, 1),
        # What is continued stands in the prompt there, and is none of it here.
        prompt_tokens=None if prompt is None else max(0, prompt - sequence.response_tokens),
    )
