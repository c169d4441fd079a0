"""What a model opens and closes its thoughts with, as its chat template and vLLM's parsers know it."""

import importlib.util
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from shared.errors import Unsupported
from shared.text.chat_tokenizer import ChatTokenizer

log = logging.getLogger(__name__)

AUTO, NONE = "auto", "none"
_THINK = ("<think>", "</think>")
_PAIRS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("think", "deepseek_r1", "qwen3", "glm45", "nemotron_v3", "olmo3"), _THINK),
        "mistral": ("[THINK]", "[/THINK]"),
        "seed_oss": ("<seed:think>", "</seed:think>"),
        "granite": ("Here is my thought process:", "Here is my response:"),
        "gemma4": ("<|channel>thought", "<channel|>"),
        "openai_gptoss": (
            "<|channel|>analysis<|message|>",
            "<|end|><|start|>assistant<|channel|>final<|message|>",
        ),
    }
)
_TAGS = re.compile(r"<(?P<angle>[\w:|-]+)>|\[(?P<square>[A-Z_]+)\]")


@dataclass(frozen=True)
class ReasoningMarks:
    """The texts that a model opens and closes its thoughts with, as they read with special tokens spelled out.

    `close_id` is the id of the closing one, where it is one token.
    """

    open: str
    close: str
    close_id: int | None = None


def find_reasoning_marks(
    chat: ChatTokenizer, tokenizer: Any, parser: str, vllm_first: bool = False
) -> ReasoningMarks | None:
    """The marks of a model's thoughts; None where its template knows none, or nobody is to look for them.

    `parser` names a pair of marks, or is "auto" or "none". vLLM's parsers of that name are asked before our table with
    `vllm_first`, and after it elsewhere, since importing them takes seconds.

    Raises:
        Unsupported: there is no pair of that name, or the tokenizer has no such marks.
    """
    if parser == NONE:
        return None
    if parser == AUTO:
        pair = _of_template(chat)
        return None if pair is None else _marks(pair, tokenizer)
    finders = [_PAIRS.get, lambda name: _of_vllm(name, tokenizer)]
    for find in reversed(finders) if vllm_first else finders:
        if (pair := find(parser)) is not None:
            return _marks(pair, tokenizer)
    raise Unsupported(
        f"there is no reasoning parser {parser!r}: take {AUTO}, {NONE}, {', '.join(_PAIRS)}"
        + (", or one of vLLM's that marks thoughts" if _has_vllm() else ""),
        field="reasoning_parser",
    )


def _marks(pair: tuple[str, str], tokenizer: Any) -> ReasoningMarks:
    added = {str(token.content): token_id for token_id, token in tokenizer.added_tokens_decoder.items()}
    return ReasoningMarks(*pair, added.get(pair[1]))


def _of_template(chat: ChatTokenizer) -> tuple[str, str] | None:
    """The marks between which the template prints a thought, or that it knows without printing any."""
    printed = chat.printed_thought()
    if printed is not None:
        before, after = printed
        for opening, closing in dict.fromkeys((*_PAIRS.values(), *_tags(before))):
            if opening in before and closing in after:
                return opening, closing
    known = (pair for pair in dict.fromkeys(_PAIRS.values()) if all(mark in chat.template_source for mark in pair))
    return next(known, None)


def _tags(before: str) -> list[tuple[str, str]]:
    """A tag that opens something, and that which closes it, for each one in the text; the last one first."""
    return [
        (found.group(), f"</{found['angle']}>" if found["angle"] else f"[/{found['square']}]")
        for found in reversed(list(_TAGS.finditer(before)))
    ]


def _of_vllm(name: str, tokenizer: Any) -> tuple[str, str] | None:
    """The marks of vLLM's parser of that name; None where there is none, or it knows no marks."""
    if not _has_vllm():
        return None
    from vllm.reasoning import ReasoningParserManager

    if name not in ReasoningParserManager.list_registered():
        return None
    try:
        parser = ReasoningParserManager.get_reasoning_parser(name)(tokenizer)
        opening, closing = parser.reasoning_start_str, parser.reasoning_end_str
    except Exception as error:  # a library's modules, which refuse tokenizers of other models in their own ways
        raise Unsupported(
            f"vLLM's reasoning parser {name} does not suit this model ({error}): set "
            f"DARWIN_GENERATION_REASONING_PARSER={AUTO}",
            field="reasoning_parser",
        ) from error
    return (opening, closing) if opening and closing else None


def _has_vllm() -> bool:
    return importlib.util.find_spec("vllm") is not None
