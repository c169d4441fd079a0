"""An engine that says what it is given, by a real tokenizer; and tokenizers of both kinds that cut characters."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from services.generation.engine import Completion, TokenSequence
from services.generation.generator import SequenceGenerator
from services.generation.hidden_tokens import hidden_tokens
from services.generation.messages import GenerateRequest, SamplingOptions, SequenceResult
from services.generation.messages import Sequence as Asked
from services.generation.simulated_engine import SimulatedEngine
from services.generation.validation import GenerationLimits
from shared.records.evolution import Message
from shared.records.template_inputs import NOTHING_ELSE, TemplateInputs
from shared.text.embedded_models import EMBEDDED_LLM, resolve
from shared.text.tokenizers import load_tokenizer

HELLO = (Message("user", "Hello"),)


@cache
def byte_level() -> Any:
    return load_tokenizer(resolve(EMBEDDED_LLM))


@cache
def byte_fallback() -> Any:
    """As sentencepiece models have it: what is no piece is a token for each of its bytes."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", "o", "k", "x", "好"]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in ("<s>", "</s>")])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>")


class Scripted(SimulatedEngine):
    """Continues any sequence by the next of these ids, up to its limit; `end_ids` are the tokenizer's end."""

    def __init__(self, tokenizer: Any, ids: Sequence[int], context: int = 8192) -> None:
        super().__init__()
        self._tokenizer, self._says, self.given = tokenizer, tuple(ids), list[TokenSequence]()
        hidden = hidden_tokens(tokenizer, len(tokenizer))
        ends = frozenset({tokenizer.eos_token_id})
        self.info = type(self.info)("scripted", "simulated", context, False, len(tokenizer), ends, hidden)

    def encode_chat(self, messages: Sequence[Message], inputs: TemplateInputs = NOTHING_ELSE) -> tuple[int, ...]:
        return tuple(1 for message in messages for _ in message.content.split())

    def encode_raw(self, text: str) -> tuple[int, ...]:
        return tuple(1 for _ in text.split())

    def decode(self, token_ids: Sequence[int], *, special: bool = False) -> str:
        text: str = self._tokenizer.decode(list(token_ids), skip_special_tokens=not special)
        return text

    async def complete(self, sequence: TokenSequence) -> Completion:
        self.given.append(sequence)
        said = len(sequence.token_ids) - 1
        return Completion(self._says[said : said + sequence.max_new_tokens], 0)


async def pieces(engine: Scripted, *lengths: int, stop: tuple[str, ...] = (), ahead: int = 0) -> list[SequenceResult]:
    """A response in pieces of these lengths, until it ends."""
    ids: tuple[int, ...] = ()
    results: list[SequenceResult] = []
    for length in lengths:
        asked = Asked("s", HELLO, ids, max_new_tokens=length, lookahead_tokens=ahead)
        request = GenerateRequest((asked,), SamplingOptions(stop=stop))
        async for (result,) in SequenceGenerator(engine, GenerationLimits()).generate(request):
            results.append(result)
        ids += results[-1].token_ids
        if results[-1].finish != "length":
            break
    return results
