"""What is read of a response that may call tools, and by whom."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.records.tools import Tool, ToolCall

log = logging.getLogger(__name__)

_BARE = ("{", "[{")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Read:
    """The calls that a response holds, the text beside them, and whether it has begun a call.

    `content` is "" where there are no calls: the response is text then, or it ends within its first call. One that ends
    within a later call holds those before it.
    """

    calls: tuple[ToolCall, ...]
    content: str
    begun: bool


CallReader = Callable[[str], Read]
"""Reads a response, partial ones too, whose special tokens are spelled out; the tools are known."""
Parse = Callable[[str, Sequence[Tool]], tuple[Sequence[ToolCall], str]]
"""Parses a response: the whole calls that it holds and the text beside them. It may raise any exception where the
response follows no form."""


@dataclass(frozen=True)
class ToolReader:
    """Reads the calls of one model.

    `name` is that of the parser. A call begins with `opening`: anywhere in a response, or, where that is bare JSON, at
    its very beginning. `hidden` matches the special tokens, which no text beside calls shows. `tokens` are the ids of
    the marks that are tokens of their own, by their text.
    """

    name: str
    opening: str
    parse: Parse
    hidden: re.Pattern[str] = re.compile(r"(?!)")
    tokens: Mapping[str, int] = field(default_factory=dict)

    def bound(self, tools: Sequence[Tool]) -> CallReader:
        """Reads responses of a model that was given these tools."""
        return lambda text: self.read(text, tools)

    def read(self, text: str, tools: Sequence[Tool]) -> Read:
        """What the response holds. A call that cannot be parsed is none, and the response has begun it."""
        calls, content = self._parsed(text, tools)
        if not calls and (last := text.rfind(self.opening)) > text.find(self.opening):
            # Parsers read all or nothing, and the last call may be cut.
            calls, content = self._parsed(text[:last], tools)
        if not calls:
            return Read((), "", self._begun(text))
        return Read(tuple(calls), self.hidden.sub("", content).strip(), begun=True)

    def _parsed(self, text: str, tools: Sequence[Tool]) -> tuple[Sequence[ToolCall], str]:
        try:
            return self.parse(text, tools)
        except Exception as error:  # the text is the model's, the parser may be a library's: anything may happen
            log.info("a response's calls cannot be parsed by %s: %s", self.name, error)
            return (), ""

    def _begun(self, text: str) -> bool:
        if not self.opening.startswith(_BARE):
            return self.opening in text
        compact = _SPACE.sub("", self.hidden.sub("", text[: 2 * len(self.opening) + 256]))
        return compact.startswith(self.opening) or bool(compact and self.opening.startswith(compact))
