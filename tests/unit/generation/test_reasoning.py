"""Thoughts are told from answers: how responses read, and what engines are asked for where a thought comes first."""

from collections.abc import Sequence as Turns
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from services.generation.engine import Completion, TokenSequence
from services.generation.generator import SequenceGenerator
from services.generation.messages import GenerateRequest, SamplingOptions, Sequence, SequenceResult
from services.generation.reasoning.marks import ReasoningMarks, find_reasoning_marks
from services.generation.settings import GenerationSettings
from services.generation.simulated_engine import SimulatedEngine
from services.generation.validation import GenerationLimits
from shared.errors import Unsupported
from shared.records.evolution import Message
from shared.records.formats import ResponseFormat
from shared.records.template_inputs import NOTHING_ELSE, TemplateInputs
from shared.records.tools import Tool
from shared.text.chat_tokenizer import ChatTokenizer
from tests.checkpoints.models import tokenizer_of
from tests.unit.generation.scripted import HELLO, Scripted, byte_level

MARKS = ReasoningMarks("<think>", "</think>")
QWEN = "trl/qwen3"
FREELY, WARM = SamplingOptions(), SamplingOptions(temperature=1)
SAID = "<think>\nTwo and two.\n</think>\n\nFour, said she. Five?"


class Thinking(Scripted):
    """Says a text, whose marks are several tokens; a stop string ends it as engines end it."""

    def __init__(self, text: str, opened: bool = False) -> None:
        super().__init__(byte_level(), [*byte_level().encode(text), byte_level().eos_token_id])
        self.info = replace(self.info, reasoning=MARKS, structured_output=True)
        self._opened = opened

    def encode_chat(self, messages: Turns[Message], inputs: TemplateInputs = NOTHING_ELSE) -> tuple[int, ...]:
        return (1,)

    def decode(self, token_ids: Turns[int], *, special: bool = False) -> str:
        if self._opened and tuple(token_ids) == (1,):
            return "<|im_start|>assistant\n<think>\n"
        return super().decode(token_ids, special=special)

    async def complete(self, sequence: TokenSequence) -> Completion:
        completion = await super().complete(sequence)
        for count in range(1, len(completion.token_ids)):
            if any(stop in self.decode(completion.token_ids[:count]) for stop in sequence.sampling.stop):
                return replace(completion, token_ids=completion.token_ids[:count])
        return completion


async def ask(
    engine: SimulatedEngine, sequence: Sequence, sampling: SamplingOptions = FREELY, **more: Any
) -> SequenceResult:
    request = GenerateRequest((sequence,), sampling, **more)
    generator = SequenceGenerator(engine, GenerationLimits())
    return [result async for some in generator.generate(request) for result in some][-1]


@pytest.mark.parametrize(("said", "opened"), [(SAID, False), (SAID.removeprefix("<think>\n"), True)])
async def test_a_thought_is_told_from_the_answer_in_pieces_as_in_one(said: str, opened: bool) -> None:
    engine = Thinking(said, opened)
    whole = await ask(engine, Sequence("s", HELLO, max_new_tokens=99))
    assert (whole.reasoning, whole.text, whole.finish) == ("Two and two.", "Four, said she. Five?", "stop")
    assert not whole.thinking
    spelled = byte_level().decode(whole.token_ids[: whole.reasoning_tokens])
    assert spelled.endswith("</think>") or spelled.rstrip().endswith("</think>")
    ids: tuple[int, ...] = ()
    while True:
        piece = await ask(engine, Sequence("s", HELLO, ids, max_new_tokens=2))
        ids += piece.token_ids
        assert whole.reasoning.startswith(piece.reasoning.removesuffix("</").rstrip())
        assert (piece.text == "") or not piece.thinking
        if piece.finish != "length":
            break
        if len(ids) < whole.reasoning_tokens:
            assert piece.thinking or not opened
    assert replace(piece, token_ids=(), seconds=0, usage=whole.usage) == replace(whole, token_ids=(), seconds=0)


async def test_what_is_cut_while_it_thinks_has_no_answer() -> None:
    cut = await ask(Thinking(SAID), Sequence("s", HELLO, max_new_tokens=6, lookahead_tokens=2))
    assert (cut.text, cut.lookahead_text, cut.thinking, cut.finish) == ("", "", True, "length")
    assert cut.reasoning.startswith("Two")
    plain = await ask(Thinking("No thought."), Sequence("s", HELLO, max_new_tokens=99))
    assert (plain.text, plain.reasoning, plain.reasoning_tokens, plain.thinking) == ("No thought.", "", 0, False)
    # An answer may begin as a mark does.
    short = await ask(Thinking("<"), Sequence("s", HELLO, max_new_tokens=99))
    assert (short.text, short.thinking) == ("<", False)


async def test_stop_strings_are_found_in_the_answer_only() -> None:
    for opened in (False, True):
        said = "<think>\nFour, or Five?\n</think>\n\nFour, said she. Five?"
        engine = Thinking(said.removeprefix("<think>\n") if opened else said, opened)
        found = await ask(engine, Sequence("s", HELLO, max_new_tokens=99), SamplingOptions(stop=("Five",)))
        assert (found.reasoning, found.text, found.finish) == ("Four, or Five?", "Four, said she. ", "stop")
        # While it thinks, the engine is not told of the stop string.
        assert [each.sampling.stop for each in engine.given][-2:] == [("</think>",), ("Five",)]


async def test_a_form_that_a_thought_would_have_to_have_is_refused() -> None:
    shaped = SamplingOptions(format=ResponseFormat("regex", "[ab]{3}", field="x"), presence_penalty=1)
    engine = Thinking("No form.", opened=True)
    engine.info = replace(engine.info, cannot_continue=frozenset({"presence_penalty"}))
    wanted = Sequence("s", HELLO, max_new_tokens=99)
    with pytest.raises(Unsupported, match="leave out presence_penalty or the format"):
        await ask(engine, wanted, shaped)
    assert not engine.given
    assert (await ask(engine, wanted, replace(shaped, presence_penalty=0))).thinking


async def test_what_began_like_a_mark_under_a_form_is_dropped_as_a_whole() -> None:
    class Letters(SimulatedEngine):
        """Says one letter after the other, whether it is held to a form or not."""

        given: ClassVar[list[TokenSequence]] = []

        async def complete(self, sequence: TokenSequence) -> Completion:
            self.given.append(sequence)
            last = range(self.info.vocabulary_size)[-600:]
            letters = {self.decode((token,)): token for token in last}
            said = [*(letters[letter] for letter in "<tab"), *self.info.end_ids]
            done = len(sequence.response if sequence.sampling.format is None else sequence.formed)
            return Completion(tuple(said[done : done + sequence.max_new_tokens]), 0)

    engine = Letters(thinking_tokens=8, template_arguments={"enable_thinking": False})
    if engine.grammars is None:
        pytest.skip("formats are not installed")
    form = SamplingOptions(temperature=1, format=ResponseFormat("regex", "<t[ab]{2}", field="x"))
    found = await ask(engine, Sequence("s", HELLO, max_new_tokens=20), form)
    # Two letters might have begun a mark, the third did not.
    assert (found.text, found.finish, found.usage.generated_tokens) == ("<tab", "stop", 5 + 3)
    assert [each.sampling.format is None for each in engine.given] == [True, True, True, False]


async def test_prefills_that_open_a_thought_are_gone_on_with() -> None:
    engine = Thinking("and two.</think>Four.")
    for begun, thought, text in (
        ("<think>Two", "and two.", "Four."),
        ("<think>So.</think>Well:", "", "and two.</think>Four."),
        ("Well:", "", "and two.</think>Four."),
    ):
        found = await ask(engine, Sequence("s", (*HELLO, Message("assistant", begun)), max_new_tokens=99))
        assert (found.reasoning, found.text) == (thought, text)


async def test_the_simulated_engine_thinks_and_then_answers_in_the_form_asked_for() -> None:
    engine = SimulatedEngine(response_tokens=20, thinking_tokens=8)
    seeded = [Sequence("s", HELLO, max_new_tokens=300, seed=seed) for seed in range(8)]
    plain = [await ask(engine, each, WARM) for each in seeded]
    assert all(each.reasoning and not each.thinking and "think>" not in each.text for each in plain)
    again = await ask(engine, seeded[0], WARM)
    assert (again.reasoning, again.text) == (plain[0].reasoning, plain[0].text)
    # In pieces it is the same.
    first = await ask(engine, replace(seeded[0], max_new_tokens=1), WARM)
    assert first.thinking
    rest = await ask(engine, replace(seeded[0], response_token_ids=first.token_ids), WARM)
    assert (rest.reasoning, rest.text) == (again.reasoning, again.text)
    silent = await ask(engine, seeded[0], inputs=TemplateInputs(effort="none"))
    assert (silent.reasoning, silent.reasoning_tokens) == ("", 0)
    argued = TemplateInputs(effort="none", arguments={"enable_thinking": True})
    assert (await ask(engine, seeded[0], inputs=argued)).reasoning
    if engine.grammars is None:
        return
    formed = SamplingOptions(temperature=1, format=ResponseFormat("regex", "[ab]{3}", field="x"))
    for each in seeded[:3]:
        found = await ask(engine, each, formed)
        assert found.reasoning
        assert set(found.text) <= {"a", "b"}
        assert (len(found.text), found.finish) == (3, "stop")
        cut = await ask(engine, replace(each, max_new_tokens=found.reasoning_tokens + 1), formed)
        gone_on = await ask(engine, replace(each, response_token_ids=cut.token_ids), formed)
        assert (gone_on.text, gone_on.reasoning) == (found.text, found.reasoning)
    told = TemplateInputs(tools=(Tool("rest"),))
    called = [await ask(engine, each, WARM, inputs=told, must_call=True) for each in seeded[:3]]
    assert all(each.reasoning and [call.name for call in each.tool_calls] == ["rest"] for each in called)


def test_an_earlier_thought_is_given_to_the_template() -> None:
    chat = ChatTokenizer(tokenizer_of(QWEN))
    told = [Message("user", "Hi"), Message("assistant", "Ho", reasoning="Say </think> ho.")]
    text = chat.decode(chat.encode_chat(told, answered=True), special=True)
    assert "<think>\nSay </think> ho.\n</think>\n\nHo" in text
    closing = tokenizer_of(QWEN).convert_tokens_to_ids("</think>")
    # What a thought spells is no mark.
    assert list(chat.encode_chat(told, answered=True)).count(closing) == 1


def test_a_deployment_gives_the_template_no_reserved_argument() -> None:
    assert GenerationSettings(chat_template_arguments={"enable_thinking": False})
    with pytest.raises(ValueError, match="may not hold messages, tools: leave it out"):
        GenerationSettings(chat_template_arguments={"messages": [], "tools": []})


def test_marks_are_found_by_name_and_unknown_names_are_refused() -> None:
    tokenizer = tokenizer_of(QWEN)
    chat = ChatTokenizer(tokenizer)
    found = find_reasoning_marks(chat, tokenizer, "auto")
    assert found == ReasoningMarks("<think>", "</think>", tokenizer.convert_tokens_to_ids("</think>"))
    assert find_reasoning_marks(chat, tokenizer, "none") is None
    assert find_reasoning_marks(chat, tokenizer, "mistral") == ReasoningMarks("[THINK]", "[/THINK]")
    with pytest.raises(Unsupported, match="no reasoning parser 'nobody'"):
        find_reasoning_marks(chat, tokenizer, "nobody")
