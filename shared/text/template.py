"""A model's chat template: which conversations it accepts, and what it prints for them.

Templates differ in what they refuse (a system role, two turns of one role, an assistant who speaks first), in the form
in which they expect a message's text (a string, or a list of parts) and in what ends a turn. `ChatTemplate` finds that
out by printing short conversations once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from jinja2 import TemplateError

from shared.errors import InvalidRequest, Unsupported
from shared.records.evolution import Message, Role
from shared.text.tokenizers import first_line

SystemHandling = Literal["keep", "fold", "drop"]
"""What is done with a system text: it is given to the template, put before the user's next turn, or left out."""

TemplateTurn = tuple[Role, str]
"""A message as (role, text)."""
Guard = Callable[[Role, str], str]
"""Maps a message (role, text) to the text that the template is given."""


def _unchanged(role: Role, content: str) -> str:
    return content


# Texts for short conversations, which no template prints by itself.
_QUESTION, _ANSWER, _RULE, _NEXT = "Qprobeq", "Aprobea", "Sprobes", "Nproben"
# Arguments of the call of the template, which a caller's own arguments must not replace.
_RESERVED = frozenset(
    {
        *("conversation", "messages", "tools", "documents", "chat_template", "add_generation_prompt", "tokenize"),
        *("continue_final_message", "padding", "truncation", "max_length", "return_tensors", "return_dict"),
        *("return_assistant_tokens_mask", "tokenizer_kwargs"),
    }
)
# A template is a program. These are the exceptions that it may raise for a conversation that it does not accept.
_REFUSALS = (TemplateError, TypeError, ValueError, LookupError, AttributeError)


@dataclass(frozen=True)
class TemplateTraits:
    """What a template accepts and prints.

    system: what becomes of a system text: it is printed ("own"), refused, or silently dropped.
    alternation: whether the template refuses two turns of one role in a row.
    content: the form in which it expects a message's text.
    thinking, tools: whether its source mentions them.
    dated: whether it prints today's date.
    end_ids: the tokens that end an assistant's turn.
    """

    system: Literal["own", "refused", "dropped"]
    alternation: bool
    content: Literal["string", "parts"]
    thinking: bool
    tools: bool
    dated: bool
    end_ids: frozenset[int]


class ChatTemplate:
    """The template of a Hugging Face tokenizer. `arguments` are given to it each time.

    Raises:
        Unsupported: there is no template, it prints no message, or `arguments` holds a reserved name.
    """

    def __init__(self, tokenizer: Any, arguments: Mapping[str, object], system: SystemHandling) -> None:
        self.source = _source(tokenizer)
        reserved = sorted(_RESERVED & arguments.keys())
        if reserved:
            raise Unsupported(f"chat template arguments may not hold {', '.join(reserved)}", field="arguments")
        self._tokenizer = tokenizer
        self._arguments = dict(arguments)
        self._system = system
        self.content: Literal["string", "parts"] = "string"
        self.content = self._content_form()
        self._keeps = lru_cache(256)(self._printed_systems)

    def render(self, turns: Sequence[TemplateTurn], answered: bool, guard: Guard = _unchanged, now: float = 0.0) -> str:
        """What the template prints, with a generation prompt unless the conversation is `answered`.

        The template is given `guard(role, text)` for each text, and `now`, in Unix seconds, for the time; 0 is the
        clock's. A conversation that it refuses is changed step by step: system texts are folded into user turns, turns
        of one role in a row are joined, an empty user turn is put before an assistant who speaks first.

        Raises:
            InvalidRequest: the template refuses the changed conversation too.
        """
        refusal: Exception | None = None
        for change in (self._with_system_handled, _folded, _joined, _led):
            turns = change(turns)
            try:
                return self._printed(turns, answered, guard, now)
            except _REFUSALS as error:
                refusal = refusal or error
        assert refusal is not None
        raise InvalidRequest(
            f"the model's chat template refuses this conversation: {first_line(refusal)}", field="messages"
        ) from refusal

    def folded(self, turns: Sequence[TemplateTurn], answered: bool) -> Sequence[TemplateTurn]:
        """The turns, with system texts put into user turns where the template would silently lose one of them, as some
        lose those that are not the first message, or all of them where an answer is the last."""
        roles = tuple(role for role, _ in turns)
        return turns if "system" not in roles or self._keeps(roles, answered) else _folded(turns)

    def _printed_systems(self, roles: tuple[Role, ...], answered: bool) -> bool:
        """Whether the system texts of such a conversation are printed, or the conversation is refused."""
        turns = [(role, f"{_RULE}{index}.") for index, role in enumerate(roles)]
        try:
            text = self._printed(turns, answered)
        except _REFUSALS:
            return True
        return all(content in text for role, content in turns if role == "system")

    def system(self) -> Literal["own", "refused", "dropped"]:
        """What becomes of a system text that is given to the template."""
        try:
            text = self._printed([("system", _RULE), ("user", _QUESTION)], answered=False)
        except _REFUSALS:
            return "refused"
        return "own" if _RULE in text else "dropped"

    def demands_alternation(self) -> bool:
        return not self._text([("user", _QUESTION), ("user", _NEXT)], answered=False)

    def after_answer(self, find: Callable[[str, int, int | None], int | None]) -> int | None:
        """The control token that ends an assistant's turn. `find(text, start, stop)` finds it behind the text."""
        turns: list[TemplateTurn] = [("user", _QUESTION), ("assistant", _ANSWER)]
        for conversation in (turns, [*turns, ("user", _NEXT)]):
            text = self._text(conversation, answered=True)
            if _ANSWER in text:
                start = text.rindex(_ANSWER) + len(_ANSWER)
                following = text.find(_NEXT, start)
                found = find(text, start, following if following >= 0 else None)
                if found is not None:
                    return found
        return None

    def _content_form(self) -> Literal["string", "parts"]:
        refusal: Exception | None = None
        forms: tuple[Literal["string", "parts"], ...] = ("string", "parts")
        for form in forms:
            self.content = form
            try:
                if _QUESTION in self._printed([("user", _QUESTION)], answered=False):
                    return form
            except _REFUSALS as error:
                refusal = refusal or error
        why = f"refuses a single user message ({first_line(refusal)})" if refusal else "prints no text of a message"
        raise Unsupported(f"the chat template {why}: put one that fits into the tokenizer", field="model")

    def _text(self, turns: Sequence[TemplateTurn], answered: bool) -> str:
        """What the template prints, or nothing where it refuses."""
        try:
            return self._printed(turns, answered)
        except _REFUSALS:
            return ""

    def _with_system_handled(self, turns: Sequence[TemplateTurn]) -> Sequence[TemplateTurn]:
        match self._system:
            case "fold":
                return _folded(turns)
            case "drop":
                return [turn for turn in turns if turn[0] != "system"]
            case _:
                return turns

    def _printed(
        self, turns: Sequence[TemplateTurn], answered: bool, guard: Guard = _unchanged, now: float = 0.0
    ) -> str:
        clock = {"strftime_now": datetime.fromtimestamp(now).strftime} if now else {}
        text: str = self._tokenizer.apply_chat_template(
            [{"role": role, "content": self._content(guard(role, content))} for role, content in turns],
            add_generation_prompt=not answered,
            tokenize=False,
            **self._arguments,
            **clock,
        )
        return text

    def _content(self, text: str) -> object:
        return text if self.content == "string" else [{"type": "text", "text": text}]


def _source(tokenizer: Any) -> str:
    template = tokenizer.chat_template
    if isinstance(template, dict):
        if "default" not in template:
            raise Unsupported(
                f"the tokenizer has only named chat templates ({', '.join(sorted(template))}): name one of them "
                '"default"',
                field="model",
            )
        template = template["default"]
    if not template:
        raise Unsupported(
            "the tokenizer has no chat template, as that of a base model: take the instruct model, or put a "
            "chat_template into its tokenizer_config.json",
            field="model",
        )
    return str(template)


def _folded(turns: Sequence[TemplateTurn]) -> list[TemplateTurn]:
    """Puts each system text before the text of the user turn that follows it. Where none follows it becomes a user
    turn, before an answer that ends the conversation."""
    folded: list[TemplateTurn] = []
    pending: list[str] = []
    for role, content in turns:
        if role == "system":
            pending.append(content)
        elif role == "user" and pending:
            folded.append((role, _paragraphs([*pending, content])))
            pending = []
        else:
            folded.append((role, content))
    if pending:
        folded.insert(len(folded) - (turns[-1][0] == "assistant"), ("user", _paragraphs(pending)))
    return folded


def _joined(turns: Sequence[TemplateTurn]) -> list[TemplateTurn]:
    joined: list[TemplateTurn] = []
    for role, content in turns:
        if joined and joined[-1][0] == role:
            joined[-1] = (role, _paragraphs([joined[-1][1], content]))
        else:
            joined.append((role, content))
    return joined


def _led(turns: Sequence[TemplateTurn]) -> list[TemplateTurn]:
    return [("user", ""), *turns] if turns and turns[0][0] == "assistant" else list(turns)


def _paragraphs(texts: Sequence[str]) -> str:
    return "\n\n".join(filter(None, texts))


def as_turns(messages: Sequence[Message]) -> list[TemplateTurn]:
    return [(message.role, message.content) for message in messages]
