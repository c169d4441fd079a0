"""What the simulated engine thinks before it answers: words, up to a mark, in prompts that open a thought."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from services.generation.engine import TokenSequence
from services.generation.reasoning.marks import ReasoningMarks
from shared.records.template_inputs import TemplateInputs

MARKS = 2
"""How many ids, from a first one on, stand for marks."""


class SimulatedThoughts:
    """Thoughts of a mean length of `tokens`; 0: there are none. The marks have the ids from `first` on. `arguments` are
    those of a chat template for requests that say nothing else.
    """

    def __init__(self, first: int, tokens: int, arguments: Mapping[str, object]) -> None:
        self._tokens = tokens
        self._wanted = arguments.get("enable_thinking", True)
        self._open, self._close = first, first + 1
        self.marks = ReasoningMarks("<think>", "</think>", self._close) if tokens else None
        self.texts = {self._open: "<think>", self._close: "</think>"} if tokens else {}
        self.ids = {text: token for token, text in self.texts.items()}

    def opening(self, inputs: TemplateInputs) -> tuple[int, ...]:
        """What ends a prompt."""
        wanted = inputs.arguments.get("enable_thinking", self._wanted and inputs.effort != "none")
        return (self._open,) if self._tokens and wanted else ()

    def written(self, thought: Iterable[int]) -> Iterator[int]:
        """A thought in an earlier turn."""
        if self._tokens:
            yield from (self._open, *thought, self._close)

    def open_in(self, sequence: TokenSequence) -> bool:
        """Whether a sequence goes on with a thought."""
        ids = reversed(sequence.token_ids)
        return self._open == next((token for token in ids if token in self.texts), None)

    def end_in(self, token_ids: Sequence[int]) -> int:
        """Where the last thought ends; 0 where none does."""
        last = len(token_ids) - 1
        return next((last - at + 1 for at, token in enumerate(reversed(token_ids)) if token == self._close), 0)

    def next(self, before: int, draw: int, word: int) -> int:
        """The next token of a thought, behind another: a word, or its end."""
        return self._close if draw // 16 % self._tokens == 0 and before != self._open else word
