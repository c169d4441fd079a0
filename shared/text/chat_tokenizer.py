"""Encodes conversations as a model's token ids, and decodes ids, by the model's tokenizer and chat template."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared.errors import InvalidRequest, Unsupported
from shared.records.evolution import Message, Role
from shared.records.template_inputs import NOTHING_ELSE, TemplateInputs
from shared.records.tools import Tool, ToolCall
from shared.text.encoding import TextEncoder
from shared.text.marks import Marks, free_plane, spellings_of
from shared.text.template import ChatTemplate, SystemHandling, TemplateTraits
from shared.text.tool_turns import has_tool_turns, texts_of

# Finds a token that a template looks for in a message, such as the end of thinking, to cut that out.
_SOUGHT = r"(?:split|partition|find|with|replace|count|prefix|suffix)\(\s*(['\"]){0}\1|(['\"]){0}\2\s+(?:not\s+)?in\b"


class ChatTokenizer:
    """Encodes conversations and decodes responses. It may be used from any thread, as it does not change once built.

    `tokenizer` is a fast one of Hugging Face; `arguments` are given to its template each time. Ids from `vocabulary` on
    have no embedding, so the texts of those tokens are encoded as ordinary text.

    Raises:
        Unsupported: there is no chat template, or it cannot be used.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        arguments: Mapping[str, object] | None = None,
        system: SystemHandling = "keep",
        vocabulary: int | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._template = ChatTemplate(tokenizer, arguments or {}, system)
        special, printed = _control_tokens(tokenizer, self._template.source, vocabulary)
        control = [*special, *printed]
        self._encoder = TextEncoder(tokenizer.backend_tokenizer, control)
        sought = {token for token in control if re.search(_SOUGHT.format(re.escape(token)), self._template.source)}
        self._special, self._spellings, self._sought = map(spellings_of, (special, control, sought))
        self._spellings_in_answers = spellings_of(token for token in control if token not in sought)
        self.control_ids = self._encoder.control_ids
        self.template = self._traits()
        self._check_vocabulary(vocabulary)

    def encode_chat(
        self,
        messages: Sequence[Message],
        *,
        answered: bool = False,
        open: bool = False,
        inputs: TemplateInputs = NOTHING_ELSE,
    ) -> tuple[int, ...]:
        """The ids of a conversation, as the chat template prints it.

        They end with a generation prompt, unless the conversation is `answered`: then its last message is the
        assistant's, and with `open` the end of that turn is left out. The text of a control token within a message does
        not become that token, and neither does that in a tool or an argument. A conversation that the template refuses
        is changed into one that it accepts.

        Raises:
            InvalidRequest: the template refuses the conversation.
            Unsupported: it prints no tools, or no turns of tools, and there are some.
        """
        return self._encoded(messages, answered, open, inputs)

    def encode_prompt(self, messages: Sequence[Message], inputs: TemplateInputs = NOTHING_ELSE) -> tuple[int, ...]:
        """The ids of a conversation that a response continues: they end with a generation prompt, or with the text of
        a last message of the assistant's, of which the response is the rest. An empty one is the same as none.

        System texts that the template would lose are put into user turns.

        Raises:
            InvalidRequest: the template refuses the conversation, or cannot print the beginning of an answer.
            Unsupported: as `encode_chat`.
        """
        opened = messages[-1].role == "assistant" and messages[-1].content != ""
        turns = messages if opened or messages[-1].role != "assistant" else messages[:-1]
        try:
            return self._encoded(self._template.folded(turns, opened, inputs), opened, opened, inputs)
        except InvalidRequest as refused:
            if not opened:
                raise
            raise InvalidRequest(
                f"the last message, the assistant's, cannot be continued by this model: {refused.message}",
                field="messages",
            ) from refused

    def _encoded(
        self, messages: Sequence[Message], answered: bool, open: bool, inputs: TemplateInputs
    ) -> tuple[int, ...]:
        self._check_tools(messages, inputs.tools)
        marks = _marks(messages, inputs)
        if open:
            messages = [*messages[:-1], replace(messages[-1], content=messages[-1].content + marks.end)]
        text = self._render(messages, answered, marks, inputs)
        if open:
            text, closed, _ = text.rpartition(marks.end)
            if not closed:
                raise InvalidRequest("the model's chat template does not print the answer", field="messages")
        ids = tuple(self._encoder.encode_rendered(text.replace(marks.end, ""), marks))
        if not ids:
            raise InvalidRequest("the model's chat template prints nothing for this conversation", field="messages")
        return ids

    def encode_text(self, text: str) -> tuple[int, ...]:
        """The ids of a text: nothing in it counts as a control token, and nothing is put before or after it."""
        return tuple(self._encoder.encode_text(text))

    def encode_raw(self, text: str) -> tuple[int, ...]:
        """The ids of a text that is a whole prompt: control tokens that it spells are those tokens, and the tokenizer's
        own beginning of a text comes first."""
        return tuple(self._encoder.encode_raw(text))

    def decode(self, token_ids: Sequence[int], *, special: bool = False) -> str:
        """The text of the ids. Special tokens are left out, or with `special` spelled out."""
        text: str = self._tokenizer.decode(list(token_ids), skip_special_tokens=not special)
        return text

    def printed_call(self) -> tuple[ToolCall, str] | None:
        """A call, and the text by which an assistant of this template makes it (`ChatTemplate.printed_call`)."""
        return self._template.printed_call()

    def printed_thought(self) -> tuple[str, str] | None:
        """What this template prints before and behind a thought (`ChatTemplate.printed_thought`)."""
        return self._template.printed_thought()

    @property
    def template_source(self) -> str:
        return self._template.source

    def _check_tools(self, messages: Sequence[Message], tools: Sequence[Tool]) -> None:
        if tools and not self.template.tools:
            raise Unsupported(
                "the model's chat template knows no tools: leave tools out, or serve a model that was trained for them",
                field="tools",
            )
        if has_tool_turns(messages) and not self.template.tool_turns:
            raise Unsupported(
                "the model's chat template knows no tool calls: write calls and their results as text of the "
                "assistant's and the user's, or serve a model that was trained for tools",
                field="messages",
            )

    def _render(self, messages: Sequence[Message], answered: bool, marks: Marks, inputs: TemplateInputs) -> str:
        """What the template prints, in which the control tokens that messages, tools and arguments spell are marked."""

        def guard(role: Role, content: str) -> str:
            return marks.mark(content, self._spellings_in_answers if role == "assistant" else self._spellings)

        def strict(role: Role, content: str) -> str:
            return marks.mark(content, self._spellings)

        marked = self._template.render(messages, answered, strict, inputs)
        if not any(message.role == "assistant" and self._sought.search(message.content) for message in messages):
            return marked
        # The template may cut thinking out of an answer, for which it must find the tokens around it unmarked. They
        # stay marked where it would otherwise print special tokens from the answer, or lose the end of an open answer.
        text = self._template.render(messages, answered, guard, inputs)
        leaks = len(self._special.findall(text)) > len(self._special.findall(marked))
        return marked if leaks or (marks.end in marked and marks.end not in text) else text

    def _traits(self) -> TemplateTraits:
        template, source = self._template, self._template.source
        end = template.after_answer(self._encoder.control_at)
        return TemplateTraits(
            system=template.system(),
            alternation=template.demands_alternation(),
            content=template.content,
            thinking="enable_thinking" in source or "<think>" in source,
            tools=template.prints_tools(),
            tool_turns=template.prints_tool_turns(),
            dated="strftime_now" in source,
            variables=template.variables(),
            end_ids=frozenset() if end is None else frozenset({end}),
        )

    def _check_vocabulary(self, vocabulary: int | None) -> None:
        ids = self.encode_chat([Message("user", "Hello")])
        if vocabulary is not None and max(ids) >= vocabulary:
            name = self._tokenizer.convert_ids_to_tokens(max(ids))
            raise Unsupported(
                f"the chat template prints {name!r}, token {max(ids)}, and the model has embeddings for {vocabulary} "
                "tokens only: take the tokenizer that belongs to it",
                field="model",
            )


def _marks(messages: Sequence[Message], inputs: TemplateInputs) -> Marks:
    plane = free_plane(texts_of(messages, inputs))
    if plane is None:
        raise InvalidRequest("the messages hold unassigned characters of every plane of Unicode", field="messages")
    return Marks(plane)


def _control_tokens(tokenizer: Any, source: str, vocabulary: int | None) -> tuple[list[str], list[str]]:
    """The texts of control tokens: first of special tokens and of ids without an embedding, then of other added tokens
    that the template prints.

    The remaining added tokens, such as runs of spaces or HTML tags, are ordinary parts of text.
    """
    special, printed = [], []
    for token_id, token in tokenizer.added_tokens_decoder.items():
        text = str(token.content)
        if text.strip() and (token.special or (vocabulary is not None and token_id >= vocabulary)):
            special.append(text)
        elif text.strip() and text in source:
            printed.append(text)
    return special, printed
