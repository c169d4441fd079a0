"""Formats as llguidance compiles them: the same way where a request is checked and where its answer is decoded.

What is hostile is bounded but in part: some schemas that llguidance's limits let pass take minutes, gigabytes or the
whole stack. Who compiles what a stranger wrote does so in a process that may die.
"""

import json
from typing import Any

from shared.records.formats import ResponseFormat
from shared.records.limits import MAX_FORMAT_CHARACTERS, MAX_GRAMMAR_CHARACTERS
from shared.text.schema_bounds import problem

COMPACT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""How the JSON of a call is written: `x-guidance` of its schema."""
_SHORT = 200
# A line break and some indentation. Without a bound, a small model may write blanks until its tokens are used up.
_BLANKS = r"\n?[ ]{0,16}"
_LIMITS: dict[str, Any] = {
    "max_items_in_row": 2_000,
    "initial_lexer_fuel": 1_000_000,
    "step_lexer_fuel": 200_000,
    "step_max_items": 50_000,
    "max_lexer_states": 50_000,
    "max_grammar_size": 60_000,
}
_COMBINED = {"$ref", "allOf", "anyOf", "oneOf"}


class ByteVocabulary:
    """A tokenizer as llguidance wants it: 256 ids from `first` on, one for each byte; those below say nothing, but
    `end`, which ends a response."""

    def __init__(self, first: int, end: int) -> None:
        self.eos_token_id = end
        self.bos_token_id = None
        # What begins with 0xFF is a special token to llguidance, and no text.
        self.special_token_ids = list(range(first))
        self.tokens = [f"<{i}>".encode() for i in range(first)] + [bytes([byte]) for byte in range(256)]
        self._first = first

    def __call__(self, text: bytes) -> list[int]:
        return [self._first + byte for byte in text]

    def tokenizer(self) -> Any:
        """llguidance's tokenizer of these ids."""
        from llguidance import LLTokenizer, TokenizerWrapper

        return LLTokenizer(TokenizerWrapper(self))


def compiled(wanted: ResponseFormat, tokenizer: Any) -> Any:
    """llguidance's matcher at the beginning of a response.

    Raises:
        ValueError: the format cannot be followed; says why in a few words.
    """
    from llguidance import LLMatcher, LLParserLimits

    most = MAX_GRAMMAR_CHARACTERS if wanted.kind == "grammar" else MAX_FORMAT_CHARACTERS
    if len(wanted.definition) > most:
        raise ValueError(f"it has more than {most} characters")
    try:
        grammar = _grammar(wanted)
    except Exception as error:  # a parser of what we did not write
        raise ValueError(short(str(error))) from error
    matcher = LLMatcher(tokenizer, grammar, log_level=0, limits=LLParserLimits(**_LIMITS))
    if not matcher.is_error():
        matcher.compute_bitmask()
    if matcher.is_error():
        raise ValueError(short(matcher.get_error()))
    if matcher.is_stopped() and not matcher.is_accepting():
        raise ValueError("no text follows it")
    return matcher


def arguments_schema(parameters: str) -> dict[str, Any]:
    """The schema of a call's arguments; without a word on further properties there are none, or it might never end.

    Raises:
        ValueError: the parameters cannot be followed.
    """
    wrong = problem(parameters) if parameters else None
    if wrong:
        raise ValueError(wrong)
    schema = json.loads(parameters or "{}")
    plain = {} if _COMBINED & schema.keys() else {"type": "object", "additionalProperties": False}
    return {**plain, **schema, "x-guidance": COMPACT}


def short(text: str) -> str:
    """The first words of an error, without the trace that may follow them."""
    line = " ".join(text.split("<backtrace>")[0].split())
    return line if len(line) <= _SHORT else line[:_SHORT] + "…"


def _grammar(wanted: ResponseFormat) -> str:
    from llguidance import LLMatcher, grammar_from

    match wanted.kind:
        case "json_object":
            return _json({"type": "object"})
        case "json_schema":
            wrong = problem(wanted.definition)
            if wrong:
                raise ValueError(wrong)
            return _json(json.loads(wanted.definition))
        case "regex":
            return str(LLMatcher.grammar_from_regex(wanted.definition))
        case "choice":
            choices = json.loads(wanted.definition)
            if not (isinstance(choices, list) and choices and all(isinstance(choice, str) for choice in choices)):
                raise ValueError("it is no list of strings")
            return str(grammar_from("choice", wanted.definition))
        case "grammar":
            return str(grammar_from("grammar", wanted.definition))


def _json(schema: Any) -> str:
    from llguidance import LLMatcher

    blanks: Any = {"whitespace_flexible": True, "whitespace_pattern": _BLANKS}
    return str(LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=blanks))
