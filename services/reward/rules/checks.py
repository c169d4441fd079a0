"""The kinds of checks: what a profile may say of each, and how a response is judged by it.

A kind is a class here, listed in `CHECKS`. Each gives a number in [0, 1], and says whether that is known: of a response
that may go on, most can be known only at its end.
"""

import json
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, Union, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, StrictBool, model_validator

from services.reward.json_values import is_json
from services.reward.rules import measures
from services.reward.rules.patterns import LONGEST, Pattern, of_terms, plain
from services.reward.specs import Name
from shared.records.limits import MAX_SCHEMA_CHARACTERS
from shared.text import json_schemas, schema_bounds
from shared.text.folding import length_in_words

MOST_CHECKS = 32
_MOST_TERMS, _LONGEST_TERM = 200, 100
# A text of so many characters tells its language, and one of so many words how hard it is to read.
_TELLING_CHARACTERS, _TELLING_WORDS = 80, 20
_GRADES = 4.0
_FORMS = {
    "link": r"""https?://[^\s<>()\[\]"']*[^\s<>()\[\]"'.,;:!?]""",
    "markdown_link": r"\[[^\[\]\n]+\]\(https?://[^\s()]+\)",
    "numbered": r"\[\d{1,4}\]",
}


@dataclass(frozen=True)
class Said:
    """A response as checks read it: as it was `written`, and the `text` of it, which is another where it is JSON.
    `question` is the last message, and `tokens` counts those of a text.
    """

    written: str
    text: str
    partial: bool
    question: str
    tokens: Callable[[str], int]

    @cached_property
    def plain(self) -> str:
        return plain(self.text)


@dataclass(frozen=True)
class Finding:
    """What a check gives, and whether it is known; else it is what counts until it is."""

    value: float
    known: bool = True


class Check(BaseModel):
    """What a profile says of a check. It counts in proportion to its `weight`, and as held `unfinished` (0 to 1) while
    a response may go on and nothing is known yet.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Name
    type: str
    weight: FiniteFloat = Field(default=1.0, gt=0)
    unfinished: FiniteFloat = Field(default=1.0, ge=0, le=1)

    @abstractmethod
    def judge(self, said: Said) -> Finding:
        """What it gives for a response that says something."""

    def _when_ended(self, said: Said, value: float) -> Finding:
        return Finding(self.unfinished, known=False) if said.partial else Finding(value)


class Bounded(Check):
    """A check of a number, which has a `min`, a `max` or both."""

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        low, high = getattr(self, "min", None), getattr(self, "max", None)
        if low is None and high is None:
            raise ValueError("needs a min, a max or both")
        if low is not None and high is not None and low > high:
            raise ValueError("has a min above its max")
        return self

    def _counted(self, number: float, low: float | None, high: float | None, said: Said) -> Finding:
        """A number that only grows: number / min below, max / number above, 1 between."""
        if high is not None and number > high:
            return Finding(high / number)
        if low is not None and number < low:
            return self._when_ended(said, number / low)
        return Finding(1.0) if high is None else self._when_ended(said, 1.0)


class LengthCheck(Bounded):
    """How long the response is."""

    type: Literal["length"]
    unit: Literal["characters", "words", "sentences", "tokens"]
    min: int | None = Field(default=None, ge=1)
    max: int | None = Field(default=None, ge=1)

    def judge(self, said: Said) -> Finding:
        return self._counted(self._length(said), self.min, self.max, said)

    def _length(self, said: Said) -> float:
        match self.unit:
            case "characters":
                return len(said.written.strip())
            case "words":
                return length_in_words(said.written)
            case "sentences":
                return measures.sentences(said.text)
            case "tokens":
                return said.tokens(said.written)


def _is_pattern(pattern: str) -> str:
    Pattern(pattern)
    return pattern


PatternText = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(_is_pattern)]


class MatchCheck(Check):
    """Whether the response has a match of `pattern` or, where it is `absent`, has none."""

    type: Literal["match"]
    pattern: PatternText
    absent: StrictBool = False

    def judge(self, said: Said) -> Finding:
        found = self._compiled.found(said.written, partial=said.partial)
        return Finding(float(not self.absent)) if found else self._when_ended(said, float(self.absent))

    @cached_property
    def _compiled(self) -> Pattern:
        return Pattern(self.pattern)


class BannedCheck(Check):
    """Whether none of the `terms` is said, in whatever case, with or without accents, as whole words."""

    type: Literal["banned"]
    terms: tuple[Annotated[str, Field(max_length=_LONGEST_TERM)], ...] = Field(min_length=1, max_length=_MOST_TERMS)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not all(plain(term) for term in self.terms):
            raise ValueError("has a term without a character")
        of_terms(self.terms)
        return self

    def judge(self, said: Said) -> Finding:
        found = self._compiled.found(said.plain, partial=said.partial)
        return Finding(0.0) if found else self._when_ended(said, 1.0)

    @cached_property
    def _compiled(self) -> Pattern:
        return of_terms(self.terms)


class CitationsCheck(Bounded):
    """How many different citations the response has: of a `form`, or matches of a `pattern`."""

    type: Literal["citations"]
    form: Literal["link", "markdown_link", "numbered"] | None = None
    pattern: PatternText | None = None
    min: int | None = Field(default=None, ge=1)
    max: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.form is None) == (self.pattern is None):
            raise ValueError("needs a form or a pattern, and not both")
        return self

    def judge(self, said: Said) -> Finding:
        count = len(set(self._compiled.matches(said.written, partial=said.partial)))
        return self._counted(count, self.min, self.max, said)

    @cached_property
    def _compiled(self) -> Pattern:
        return Pattern(self.pattern or _FORMS[str(self.form)])


class JsonCheck(Check):
    """Whether the response is JSON, and follows the `schema` where there is one."""

    model_config = ConfigDict(serialize_by_alias=True)

    type: Literal["json"]
    required: dict[str, Any] | None = Field(default=None, alias="schema")

    @model_validator(mode="after")
    def _is_schema(self) -> Self:
        if self.required is None:
            return self
        if len(self._text) > MAX_SCHEMA_CHARACTERS:
            raise ValueError(f"has a schema of more than {MAX_SCHEMA_CHARACTERS} characters")
        if why := schema_bounds.problem(self._text) or json_schemas.schema_problem(self._text):
            raise ValueError(f"has a schema that cannot be used: {why}")
        return self

    def judge(self, said: Said) -> Finding:
        written = said.written.strip()
        if not is_json(written, partial=said.partial):
            return Finding(0.0)
        return self._when_ended(said, float(self.required is None or json_schemas.follows(self._text, written)))

    @cached_property
    def _text(self) -> str:
        return json.dumps(self.required)


class LanguageCheck(Check):
    """Whether the response is in one of the `languages` (ISO 639 codes), or in the question's where none is named. One
    whose language is not sure is."""

    type: Literal["language"]
    languages: tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")], ...] = Field(default=(), max_length=32)

    def judge(self, said: Said) -> Finding:
        from shared.text.languages import language_of

        wanted = self.languages or tuple(filter(None, [language_of(said.question)]))
        told = not said.partial or len(said.text) >= _TELLING_CHARACTERS
        language = language_of(said.text) if wanted and told else None
        return self._when_ended(said, 1.0) if language is None or language in wanted else Finding(0.0)


class ReadingCheck(Bounded):
    """How hard the response is to read, by `measures.grade`. A quarter is lost with each grade outside of the bounds.
    That of a response that may go on counts as it is from 20 words on, and is not known.
    """

    type: Literal["reading"]
    min: FiniteFloat | None = None
    max: FiniteFloat | None = None

    def judge(self, said: Said) -> Finding:
        grade = measures.grade(said.text)
        enough = not said.partial or len(measures.words(said.text)) >= _TELLING_WORDS
        if grade is None or not enough:
            return self._when_ended(said, 1.0)
        low, high = self.min, self.max
        outside = max(0.0, 0.0 if high is None else grade - high, 0.0 if low is None else low - grade)
        return Finding(max(0.0, 1 - outside / _GRADES), known=not said.partial)


CHECKS: tuple[type[Check], ...] = (
    LengthCheck,
    MatchCheck,
    BannedCheck,
    CitationsCheck,
    JsonCheck,
    LanguageCheck,
    ReadingCheck,
)
CHECK_TYPES: tuple[str, ...] = tuple(get_args(check.model_fields["type"].annotation)[0] for check in CHECKS)
"""What the `type` of a check may be."""

# As the component types in `services.reward.registry`.
if TYPE_CHECKING:
    AnyCheck = Check
else:
    AnyCheck = Annotated[Union[CHECKS], Field(discriminator="type")]  # noqa: UP007  # of a list
