"""Tokenizers of every kind that models have, built in milliseconds."""

import copy
import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from shared.text.embedded_models import EMBEDDED_LLM, resolve

BOS, EOS, UNKNOWN = "<s>", "</s>", "<unk>"
_MERGES = 2000
_BYTES = 256
_CORPUS = (
    "The quick brown fox jumps over the lazy dog. What is the capital of France? Answer in one short sentence.",
    "You are a helpful assistant. Be kind, be brief, and say so when you do not know. 0 1 2 3 4 5 6 7 8 9",
    "I walked along the river in spring; the water was cold and clear. Café, naïve, über, 日本語, Ελλάδα.",
    '{"role": "user", "content": "Hello!"} <b>bold</b> def main(): return [x for x in range(10)] # | / ~',
)


@cache
def _embedded() -> dict[str, Any]:
    """The embedded model's tokenizer, cut to its first merges so that it is copied in milliseconds; without control
    tokens."""
    whole = json.loads(AutoTokenizer.from_pretrained(resolve(EMBEDDED_LLM)).backend_tokenizer.to_str())
    model = whole["model"]
    named = {token["content"] for token in whole["added_tokens"]}
    words = [word for word, _ in sorted(model["vocab"].items(), key=lambda item: item[1]) if word not in named]
    model["merges"] = model["merges"][:_MERGES]
    model["vocab"] = {word: i for i, word in enumerate(words[: _BYTES + _MERGES])}
    whole["added_tokens"] = []
    return whole


def wrap(
    backend: Tokenizer,
    template: str | None,
    special: Sequence[str | AddedToken] = (),
    visible: Sequence[str | AddedToken] = (),
) -> Any:
    """A Hugging Face tokenizer with a template and its tokens; `visible` ones are added, but not special."""
    backend.add_special_tokens([BOS, EOS, *special])
    backend.add_tokens([AddedToken(token, normalized=False) if isinstance(token, str) else token for token in visible])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=BOS, eos_token=EOS)
    tokenizer.chat_template = template
    return tokenizer


def byte_level(template: str | None, special: Sequence[str] = (), visible: Sequence[str] = ()) -> Any:
    """As GPT-2, Llama 3, Qwen: decoding gives back every text exactly."""
    return wrap(Tokenizer.from_str(json.dumps(_embedded())), template, special, visible)


def _metaspace(scheme: str) -> Callable[[], Tokenizer]:
    def build() -> Tokenizer:
        """As SentencePiece's BPE: spaces are ▁, what the vocabulary lacks is bytes."""
        tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN, fuse_unk=True, byte_fallback=True))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
        tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme=scheme)])
        return _trained(
            tokenizer, trainers.BpeTrainer(vocab_size=700, special_tokens=_sentencepiece_tokens(), show_progress=False)
        )

    return build


def _legacy() -> Tokenizer:
    """As Llama 2 and Mistral before v0.3: a normalizer puts ▁ before every stretch between added tokens."""
    tokenizer = _metaspace("first")()
    tokenizer.pre_tokenizer = None
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def _unigram() -> Tokenizer:
    """As T5 and Gemma's ancestors, with control tokens among the vocabulary's own pieces."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = [UNKNOWN, BOS, EOS, "<|user|>", "<|end|>"]
    return _trained(
        tokenizer,
        trainers.UnigramTrainer(vocab_size=400, unk_token=UNKNOWN, special_tokens=special, show_progress=False),
    )


def _word_piece() -> Tokenizer:
    """As BERT: lower case, split at punctuation, ## within words."""
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return _trained(tokenizer, trainers.WordPieceTrainer(vocab_size=500, special_tokens=[UNKNOWN], show_progress=False))


def _ignoring_merges() -> Tokenizer:
    """As Llama 3: a word that is in the vocabulary whole needs no merges."""
    whole = copy.deepcopy(_embedded())
    whole["model"]["ignore_merges"] = True
    whole["model"]["vocab"]["Ġcapitalword"] = len(whole["model"]["vocab"])
    return Tokenizer.from_str(json.dumps(whole))


def _trained(tokenizer: Tokenizer, trainer: Any) -> Tokenizer:
    """Bytes are pieces of the vocabulary, not added tokens, as in converted checkpoints."""
    tokenizer.train_from_iterator(_CORPUS, trainer)
    whole = json.loads(tokenizer.to_str())
    whole["added_tokens"] = [token for token in whole["added_tokens"] if not token["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(whole))


def _sentencepiece_tokens() -> list[str]:
    return [UNKNOWN, BOS, EOS, *(f"<0x{byte:02X}>" for byte in range(_BYTES))]


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "byte-level": lambda: Tokenizer.from_str(json.dumps(_embedded())),
    "byte-level, ignoring merges": _ignoring_merges,
    "metaspace first": _metaspace("first"),
    "metaspace always": _metaspace("always"),
    "metaspace never": _metaspace("never"),
    "legacy": _legacy,
    "unigram": _unigram,
    "word piece": _word_piece,
}
