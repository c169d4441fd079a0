"""Which parser reads a model's calls: that which reads the call that the model's own chat template writes."""

import importlib.util
import logging
import re
from collections.abc import Iterable, Iterator
from typing import Any

from services.generation.tool_calls.json_forms import HERMES_MARKS, JSON_FORMS
from services.generation.tool_calls.library_parsers import response_template_parse, vllm_names, vllm_parse
from services.generation.tool_calls.reading import Parse, ToolReader
from shared.errors import Unsupported
from shared.records.tools import Tool
from shared.text.chat_tokenizer import ChatTokenizer
from shared.text.marks import spellings_of
from shared.text.tool_turns import call_key

log = logging.getLogger(__name__)

AUTO, NONE, RESPONSE_TEMPLATE = "auto", "none", "response_template"
_THOUGHT = re.compile(r"^\s*(?:<think>.*?)?</think>\s*", re.DOTALL)
_MARK = re.compile(r"<[^<>\s]+>|\[[A-Z_]+\]|\S+")


def find_tool_reader(
    chat: ChatTokenizer, tokenizer: Any, hidden: Iterable[str], parser: str, vllm_first: bool = False
) -> ToolReader | None:
    """The reader of a model's calls; None where its template takes no tools, writes no calls, or nobody reads them.

    `hidden` are the special tokens' texts. `parser` names a parser, or is "auto" or "none". vLLM's parsers are tried
    before ours with `vllm_first`, and after them elsewhere, since importing them takes seconds.

    Raises:
        Unsupported: there is no parser of that name, or the template takes no tools.
    """
    printed = chat.printed_call() if chat.template.tools else None
    if parser == NONE or (printed is None and parser == AUTO):
        return None
    if printed is None:
        raise Unsupported(
            f"the model's chat template takes no tools, so that there is nothing to read for {parser}: set "
            "DARWIN_GENERATION_TOOL_PARSER=none, or put a template with tools into its tokenizer",
            field="tool_parser",
        )
    call, text = printed
    special = spellings_of(hidden)
    written = re.sub(rf"(?:\s*(?:{special.pattern}))+\s*$", "", _THOUGHT.sub("", text))
    opening = _MARK.search(written.partition(call.name)[0])
    if opening is None:
        log.warning("the chat template begins calls with their name alone: no parser can tell calls from text")
        return None
    for name, parse in _candidates(tokenizer, parser, vllm_first):
        reader = ToolReader(name, opening.group(), parse, special, _marks(tokenizer))
        if parser != AUTO or call_key(reader.read(written, [Tool(call.name)]).calls) == call_key([call]):
            return reader
    if parser != AUTO:
        raise Unsupported(
            f"there is no tool parser {parser!r}: take auto, none, {RESPONSE_TEMPLATE}, {', '.join(JSON_FORMS)}"
            + (", or one of vLLM's" if _has_vllm() else ""),
            field="tool_parser",
        )
    log.warning("no parser reads the calls that the model's chat template writes: requests with tools are refused")
    return None


def _marks(tokenizer: Any) -> dict[str, int]:
    """The ids of hermes' marks, where they are tokens."""
    added = {str(token.content): token_id for token_id, token in tokenizer.added_tokens_decoder.items()}
    return {mark: added[mark] for mark in HERMES_MARKS if mark in added}


def _candidates(tokenizer: Any, parser: str, vllm_first: bool) -> Iterator[tuple[str, Parse]]:
    """The parsers that may read the calls: the model's own first, then the libraries' and ours."""
    template = getattr(tokenizer, "response_template", None)
    if template and parser in (AUTO, RESPONSE_TEMPLATE):
        yield RESPONSE_TEMPLATE, response_template_parse(template)
    if vllm_first:
        yield from _of_vllm(tokenizer, parser)
    yield from ((name, parse) for name, parse in JSON_FORMS.items() if parser in (AUTO, name))
    if not vllm_first:
        yield from _of_vllm(tokenizer, parser)


def _of_vllm(tokenizer: Any, parser: str) -> Iterator[tuple[str, Parse]]:
    if not _has_vllm():
        return
    for name in vllm_names():
        if parser not in (AUTO, name):
            continue
        try:
            yield name, vllm_parse(name, tokenizer)
        except Exception as error:  # a library's modules, some of which need what is not installed
            log.info("vLLM's parser %s cannot be loaded: %s", name, error)


def _has_vllm() -> bool:
    return importlib.util.find_spec("vllm") is not None
