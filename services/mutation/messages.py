"""The request for a mutation, and its events."""

from dataclasses import dataclass
from enum import Enum
from math import isfinite

from shared.errors import InvalidRequest
from shared.records.credit import Credit
from shared.records.evolution import Message
from shared.records.limits import (
    MAX_CONVERSATION_CHARACTERS,
    MAX_CROSSOVER,
    MAX_EXCLUDED,
    MAX_MESSAGES,
    MAX_MUTANTS,
    MAX_NAME_CHARACTERS,
    MAX_PROMPT_CHARACTERS,
    MAX_QUOTED_CHARACTERS,
    MAX_WISH_CHARACTERS,
    MAX_WISHES,
)
from shared.text.folding import is_one_line

MAX_COUNT = 2 * MAX_MUTANTS
# Excluded texts are instructions as parents are, one for each state.
MAX_EXCLUDED_CHARACTERS = MAX_COUNT * MAX_PROMPT_CHARACTERS
MAX_EARNED = 1000
ROLES = ("system", "user", "assistant")


class TextSource(Enum):
    """Where a mutant's text comes from."""

    MODEL = "model"
    TEMPLATE = "template"
    PARENT = "parent"


class Reason(Enum):
    """Why a rewrite was turned down."""

    EMPTY = "empty"
    PROMPT_EXAMPLE = "prompt_example"
    DUPLICATE = "duplicate"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    MEANING_LOST = "meaning_lost"
    MALFORMED = "malformed"


class Mode(Enum):
    """Who writes the mutants: whoever the settings say, the language model first, or templates only."""

    UNSPECIFIED = "unspecified"
    MODEL = "model"
    TEMPLATES = "templates"


@dataclass(frozen=True)
class MutationRequest:
    """A request for `count` mutants of `parent`, true to the last user turn of `messages`, none of them in `exclude`.

    `form_fixed` says that the answer has a form, such as a JSON schema, for which no mutant may ask another.
    `max_generated_tokens` bounds what the language model may sample for all rewrites together; None: nothing does.
    `credit` is what lines and operators have earned on requests like this one; None: all are drawn alike. One mutant
    combines the responses of `crossover`, best first, and one improves that of `refine`; empty: none does. All tell
    those of the `wishes`, what the answer is to be like, that contradict nothing that the conversation demands.

    Raises:
        InvalidRequest: a field is out of its limits.
    """

    messages: tuple[Message, ...]
    parent: str
    count: int
    exclude: tuple[str, ...] = ()
    seed: int | None = None
    cache_salt: str = ""
    mode: Mode = Mode.UNSPECIFIED
    form_fixed: bool = False
    max_generated_tokens: int | None = None
    credit: Credit | None = None
    crossover: tuple[str, ...] = ()
    refine: str = ""
    wishes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_conversation(self.messages)
        if not self.parent.strip():
            raise InvalidRequest("parent must not be empty", field="parent")
        if len(self.parent) > MAX_PROMPT_CHARACTERS:
            raise InvalidRequest(f"parent must have at most {MAX_PROMPT_CHARACTERS} characters", field="parent")
        if not 1 <= self.count <= MAX_COUNT:
            raise InvalidRequest(f"count must be between 1 and {MAX_COUNT}", field="count")
        if len(self.exclude) > MAX_EXCLUDED:
            raise InvalidRequest(f"exclude must have at most {MAX_EXCLUDED} texts", field="exclude")
        if sum(map(len, self.exclude)) > MAX_EXCLUDED_CHARACTERS:
            raise InvalidRequest(f"exclude must have at most {MAX_EXCLUDED_CHARACTERS} characters", field="exclude")
        if len(self.cache_salt) > MAX_NAME_CHARACTERS:
            raise InvalidRequest(f"cache_salt must have at most {MAX_NAME_CHARACTERS} characters", field="cache_salt")
        if self.credit is not None:
            _check_credit(self.credit)
        if len(self.crossover) > MAX_CROSSOVER:
            raise InvalidRequest(f"crossover must have at most {MAX_CROSSOVER} texts", field="crossover")
        for name, texts in (("crossover", self.crossover), ("refine", (self.refine,))):
            if any(len(text) > MAX_QUOTED_CHARACTERS for text in texts):
                raise InvalidRequest(f"{name} must have at most {MAX_QUOTED_CHARACTERS} characters", field=name)
        if len(self.wishes) > MAX_WISHES:
            raise InvalidRequest(f"wishes must have at most {MAX_WISHES} texts", field="wishes")
        if not all(0 < len(wish) <= MAX_WISH_CHARACTERS and is_one_line(wish) for wish in self.wishes):
            raise InvalidRequest(f"wishes must be lines of 1 to {MAX_WISH_CHARACTERS} characters", field="wishes")

    @property
    def original(self) -> str:
        """The instruction whose meaning mutants must keep."""
        return self.messages[-1].content


def _check_conversation(messages: tuple[Message, ...]) -> None:
    if not messages or messages[-1].role != "user" or not messages[-1].content.strip():
        raise InvalidRequest("messages must end with a non-empty user message", field="messages")
    if len(messages) > MAX_MESSAGES:
        raise InvalidRequest(f"messages must have at most {MAX_MESSAGES} entries", field="messages")
    if sum(len(message.content) for message in messages) > MAX_CONVERSATION_CHARACTERS:
        raise InvalidRequest(f"messages must have at most {MAX_CONVERSATION_CHARACTERS} characters", field="messages")
    for index, message in enumerate(messages):
        if message.role not in ROLES:
            raise InvalidRequest(f"role must be one of {', '.join(ROLES)}", field=f"messages[{index}].role")


def _check_credit(credit: Credit) -> None:
    earned = credit.earned.values()
    if len(credit.earned) > MAX_EARNED:
        raise InvalidRequest(f"earned must have at most {MAX_EARNED} names", field="earned")
    if not all(isfinite(each.mean) and isfinite(each.weight) and each.weight >= 0 for each in earned):
        raise InvalidRequest("earned must have finite means, and weights of 0 or more", field="earned")
    if not (isfinite(credit.noise) and credit.noise > 0):
        raise InvalidRequest("noise must be above 0 where earned is given", field="noise")


@dataclass(frozen=True)
class AcceptedMutant:
    """An accepted instruction; `similarity` is its cosine to the original, in [-1, 1]. The language model sampled
    `generated_tokens` for it."""

    text: str
    operator: str
    source: TextSource
    similarity: float
    generated_tokens: int = 0


@dataclass(frozen=True)
class Rejection:
    """A model's output of so many tokens that was turned down; `similarity` only where the meaning was compared."""

    text: str
    operator: str
    reason: Reason
    similarity: float | None = None
    generated_tokens: int = 0


@dataclass(frozen=True)
class MutationSummary:
    """The last event of every mutation: the tokens that the language model read and wrote, and how many of the rewrites
    requested from it did not come. `withheld` are wishes that contradict what the conversation demands."""

    prompt_tokens: int
    generated_tokens: int
    unwritten: int = 0
    withheld: tuple[str, ...] = ()


MutationEvent = AcceptedMutant | Rejection | MutationSummary
