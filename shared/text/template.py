"""A model's chat template: which conversations it accepts, and what it prints for them.

Templates differ in what they refuse (a system role, two turns of one role, an assistant who speaks first), in the form
in which they expect a message's text (a string, or a list of parts) and in what ends a turn. `ChatTemplate` finds that
out by printing short conversations once.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Literal

from jinja2 import Environment, TemplateError
from jinja2.meta import find_undeclared_variables

from shared.errors import InvalidRequest, Unsupported
from shared.records.efforts import EFFORTS
from shared.records.evolution import Message, Role
from shared.records.template_inputs import NOTHING_ELSE, RESERVED_ARGUMENTS, TemplateInputs
from shared.records.tools import Tool, ToolCall
from shared.text.accepted_turns import folded, joined, led
from shared.text.efforts import effort_arguments
from shared.text.tokenizers import first_line, template_source
from shared.text.tool_turns import call_form, called_names, has_tool_turns, marked, tool_form, with_short_ids

SystemHandling = Literal["keep", "fold", "drop"]
"""What is done with a system text: it is given to the template, put before the user's next turn, or left out."""

Guard = Callable[[Role, str], str]
"""Maps a message (role, text) to the text that the template is given."""


def _unchanged(role: Role, content: str) -> str:
    return content


# Texts for short conversations, which no template prints by itself.
_QUESTION, _ANSWER, _RULE, _NEXT = "Qprobeq", "Aprobea", "Sprobes", "Nproben"
_RESULT, _ARGUMENT, _THOUGHT = "Rprober", "Vprobev", "Tprobet"
_TOOL = Tool(
    "probe_tool",
    "Dprobed",
    '{"type": "object", "properties": {"probe_argument": {"type": "string", "description": "an argument"}}}',
)
_CALL = ToolCall(_TOOL.name, f'{{"probe_argument": "{_ARGUMENT}"}}', "call00001")
_CALLED = [Message("user", _QUESTION), Message("assistant", "", (_CALL,))]
# What transformers gives each template besides; its special tokens are given too.
_GIVEN = frozenset({"raise_exception", "bos_token", "eos_token", "pad_token", "unk_token"})
# The names under which templates read what was thought.
_REASONING = ("reasoning_content", "reasoning", "thinking")
# Tags of transformers, around what an assistant says.
_GENERATION_BLOCKS = re.compile(r"\{%-?\s*(end)?generation\s*-?%\}")
# A template is a program. These are the exceptions that it may raise for a conversation that it does not accept.
_REFUSALS = (TemplateError, TypeError, ValueError, LookupError, AttributeError)


@dataclass(frozen=True)
class TemplateTraits:
    """What a template accepts and prints.

    system: what becomes of a system text: it is printed ("own"), refused, or silently dropped.
    alternation: whether the template refuses two turns of one role in a row.
    content: the form in which it expects a message's text.
    thinking: whether its source mentions it.
    tools: whether it prints the tools that it is given.
    tool_turns: whether it prints calls, and their results.
    dated: whether it prints today's date.
    variables: what it reads beside messages and tools.
    end_ids: the tokens that end an assistant's turn.
    """

    system: Literal["own", "refused", "dropped"]
    alternation: bool
    content: Literal["string", "parts"]
    thinking: bool
    tools: bool
    tool_turns: bool
    dated: bool
    variables: frozenset[str]
    end_ids: frozenset[int]


class ChatTemplate:
    """The template of a Hugging Face tokenizer. `arguments` are given to it each time.

    Raises:
        Unsupported: there is no template, it prints no message, or `arguments` holds a reserved name.
    """

    def __init__(self, tokenizer: Any, arguments: Mapping[str, object], system: SystemHandling) -> None:
        self.source = template_source(tokenizer)
        reserved = sorted(RESERVED_ARGUMENTS & arguments.keys())
        if reserved:
            raise Unsupported(f"chat template arguments may not hold {', '.join(reserved)}", field="arguments")
        self._tokenizer = tokenizer
        self._arguments = dict(arguments)
        self._system = system
        self.content: Literal["string", "parts"] = "string"
        self.content = self._content_form()
        self._keeps = lru_cache(256)(self._printed_systems)
        self._efforts = lru_cache(len(EFFORTS))(self._effort_arguments)
        # Which of the names the template reads.
        named = (name for name in _REASONING if re.search(rf"(?:\.|['\"]){name}\b", self.source))
        self._reasoning = next(named, _REASONING[0])

    def render(
        self,
        messages: Sequence[Message],
        answered: bool,
        guard: Guard = _unchanged,
        inputs: TemplateInputs = NOTHING_ELSE,
    ) -> str:
        """What the template prints, with a generation prompt unless the conversation is `answered`.

        The template is given `guard(role, text)` for each text, those of tools and arguments as the system's. A
        conversation that it refuses is changed step by step: ids of calls
        are shortened, system texts are folded into user turns, turns of one role in a row are joined, an empty user
        turn is put before an assistant who speaks first.

        Raises:
            InvalidRequest: the template refuses the changed conversation too.
        """
        refusal: Exception | None = None
        first = (with_short_ids,) if has_tool_turns(messages) else ()
        for change in (self._with_system_handled, *first, folded, joined, led):
            messages = change(messages)
            try:
                return self._printed(messages, answered, guard, inputs)
            except _REFUSALS as error:
                refusal = refusal or error
        assert refusal is not None
        raise InvalidRequest(
            f"the model's chat template refuses this conversation: {first_line(refusal)}", field="messages"
        ) from refusal

    def folded(self, messages: Sequence[Message], answered: bool, inputs: TemplateInputs) -> Sequence[Message]:
        """The messages, with system texts put into user turns where the template would silently lose one of them, as
        some lose those that are not the first message, or all of them where an answer is the last."""
        roles = tuple(message.role for message in messages if message.role != "tool" and not message.tool_calls)
        if "system" not in roles:
            return messages
        given = inputs.arguments or inputs.effort
        keeps = partial(self._printed_systems, inputs=inputs) if given else self._keeps
        return messages if keeps(roles, answered) else folded(messages)

    def _printed_systems(self, roles: tuple[Role, ...], answered: bool, inputs: TemplateInputs = NOTHING_ELSE) -> bool:
        """Whether the system texts of such a conversation are printed, or the conversation is refused."""
        messages = [Message(role, f"{_RULE}{index}.") for index, role in enumerate(roles)]
        try:
            text = self._printed(messages, answered, inputs=replace(inputs, tools=()))
        except _REFUSALS:
            return True
        return all(message.content in text for message in messages if message.role == "system")

    def variables(self) -> frozenset[str]:
        """The names that the template reads and does not set, those that every template is given aside."""
        source = _GENERATION_BLOCKS.sub("", self.source)
        environment = Environment(extensions=["jinja2.ext.loopcontrols"])
        return frozenset(find_undeclared_variables(environment.parse(source)) - RESERVED_ARGUMENTS - _GIVEN)

    def prints_tools(self) -> bool:
        """Whether tools that are given to the template are printed."""
        return _TOOL.name in self._text([Message("user", _QUESTION)], answered=False, tools=[_TOOL])

    def prints_tool_turns(self) -> bool:
        """Whether calls and their results are printed."""
        text = self._text([*_CALLED, Message("tool", _RESULT, tool_call_id=_CALL.id)], answered=False, tools=[_TOOL])
        return all(part in text for part in (_TOOL.name, _ARGUMENT, _RESULT))

    def printed_call(self) -> tuple[ToolCall, str] | None:
        """A call, and the text that an assistant who makes it writes in this template, up to the end of the turn; None
        where the template prints no calls.
        """
        asked = self._text(_CALLED[:1], answered=False, tools=[_TOOL])
        called = self._text(_CALLED, answered=True, tools=[_TOOL])
        if _ARGUMENT not in called:
            return None
        # A generation prompt may hold more than the turn of a call begins with, such as an empty thought.
        shared = next((i for i, (a, b) in enumerate(zip(asked, called, strict=False)) if a != b), len(asked))
        return _CALL, called[shared:]

    def printed_thought(self) -> tuple[str, str] | None:
        """What stands before and behind a thought in an assistant's turn, from the question to the answer; None where
        the template prints no thoughts.
        """
        text = self._text(
            [Message("user", _QUESTION), Message("assistant", _ANSWER, reasoning=_THOUGHT)], answered=True
        )
        asked, thought = text.find(_QUESTION), text.find(_THOUGHT)
        answered = text.find(_ANSWER, thought)
        if not 0 <= asked < thought < answered:
            return None
        return text[asked + len(_QUESTION) : thought], text[thought + len(_THOUGHT) : answered]

    def effort_arguments(self, effort: str) -> dict[str, object]:
        """What the template is given for a reasoning effort, one of `EFFORTS` or none."""
        return self._efforts(effort) if effort else {}

    def _effort_arguments(self, effort: str) -> dict[str, object]:
        def accepts(arguments: Mapping[str, object]) -> bool:
            return bool(self._text([Message("user", _QUESTION)], answered=False, arguments=arguments))

        return effort_arguments(effort, self.variables(), accepts)

    def system(self) -> Literal["own", "refused", "dropped"]:
        """What becomes of a system text that is given to the template."""
        try:
            text = self._printed([Message("system", _RULE), Message("user", _QUESTION)], answered=False)
        except _REFUSALS:
            return "refused"
        return "own" if _RULE in text else "dropped"

    def demands_alternation(self) -> bool:
        return not self._text([Message("user", _QUESTION), Message("user", _NEXT)], answered=False)

    def after_answer(self, find: Callable[[str, int, int | None], int | None]) -> int | None:
        """The control token that ends an assistant's turn. `find(text, start, stop)` finds it behind the text."""
        turns = [Message("user", _QUESTION), Message("assistant", _ANSWER)]
        for conversation in (turns, [*turns, Message("user", _NEXT)]):
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
                if _QUESTION in self._printed([Message("user", _QUESTION)], answered=False):
                    return form
            except _REFUSALS as error:
                refusal = refusal or error
        why = f"refuses a single user message ({first_line(refusal)})" if refusal else "prints no text of a message"
        raise Unsupported(f"the chat template {why}: put one that fits into the tokenizer", field="model")

    def _text(
        self,
        messages: Sequence[Message],
        answered: bool,
        tools: Sequence[Tool] = (),
        arguments: Mapping[str, object] = NOTHING_ELSE.arguments,
    ) -> str:
        """What the template prints, or nothing where it refuses."""
        try:
            return self._printed(messages, answered, inputs=TemplateInputs(tools=tools, arguments=arguments))
        except _REFUSALS:
            return ""

    def _with_system_handled(self, messages: Sequence[Message]) -> Sequence[Message]:
        match self._system:
            case "fold":
                return folded(messages)
            case "drop":
                return [message for message in messages if message.role != "system"]
            case _:
                return messages

    def _printed(
        self,
        messages: Sequence[Message],
        answered: bool,
        guard: Guard = _unchanged,
        inputs: TemplateInputs = NOTHING_ELSE,
    ) -> str:
        clock = {"strftime_now": datetime.fromtimestamp(inputs.now).strftime} if inputs.now else {}
        mark = partial(guard, "system")
        offered = {"tools": [tool_form(tool, mark) for tool in inputs.tools]} if inputs.tools else {}
        names = called_names(messages)
        text: str = self._tokenizer.apply_chat_template(
            [self._form(message, names, guard) for message in messages],
            add_generation_prompt=not answered,
            tokenize=False,
            **offered,
            **self._arguments | self.effort_arguments(inputs.effort) | marked(dict(inputs.arguments), mark),
            **clock,
        )
        return text

    def _form(self, message: Message, names: Mapping[str, str], guard: Guard) -> dict[str, object]:
        """A message as templates read it; `names` are those of the tools called, by the calls' ids."""
        text = guard(message.role, message.content)
        content: object = text if self.content == "string" else [{"type": "text", "text": text}]
        form: dict[str, object] = {"role": message.role, "content": content}
        mark = partial(guard, message.role)
        if message.reasoning:
            form[self._reasoning] = guard("system", message.reasoning)
        if message.tool_calls:
            form["tool_calls"] = [call_form(call, mark) for call in message.tool_calls]
        if message.role == "tool":
            form["tool_call_id"] = mark(message.tool_call_id)
            form["name"] = mark(names.get(message.tool_call_id, ""))
        return form
