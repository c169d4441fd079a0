from typing import Any

import pytest

from shared.files.shapes import Asked, Preference, UnknownShape, asked, preference
from shared.records.evolution import Message

WHY = Message("user", "Why?")
HI = (Message("user", "Hi"), Message("assistant", "Hello"))
ONCE = [{"role": "user", "content": "Why?"}]
CHAT = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Why?"},
]
GPT = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}, {"from": "human", "value": "Why?"}]
YES = {"role": "assistant", "content": "Yes."}
NO = {"role": "assistant", "content": "No."}
HH = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant:"


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"turns": ["Why?", "And?"], "reference": ["x", "y"]}, Asked(("Why?", "And?"))),
        ({"instruction": "Why?", "input": "", "output": "x"}, Asked(("Why?",))),
        ({"instruction": "Why?", "input": "It rains.", "output": "x"}, Asked(("Why?\n\nIt rains.",))),
        ({"instruction": "Why?", "context": "It rains.", "response": "x"}, Asked(("Why?\n\nIt rains.",))),
        ({"question": "Why?", "context": None, "answer": "x"}, Asked(("Why?",))),
        ({"instruction": "Why?", "history": [["Hi", "Hello"]]}, Asked(("Why?",), HI)),
        ({"system": "Be kind.", "question": "Why?"}, Asked(("Why?",), (Message("system", "Be kind."),))),
        ({"prompt": "Why?", "messages": None}, Asked(("Why?",))),
        ({"prompt": CHAT}, Asked(("Why?",), HI)),
        ({"messages": [*CHAT, YES]}, Asked(("Why?",), HI)),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "Why?"}]}]}, Asked(("Why?",))),
        ({"conversations": [*GPT, {"from": "gpt", "value": "So."}], "id": "a"}, Asked(("Why?",), HI)),
        ({"conversations": GPT, "system": "Be kind."}, Asked(("Why?",), (Message("system", "Be kind."), *HI))),
        ({"prompt": HH}, Asked(("Why?",), HI)),
        ({"chosen": [*CHAT, YES], "rejected": [*CHAT, NO]}, Asked(("Why?",), HI)),
        ({"instruction": "Why?", "completions": [], "models": []}, Asked(("Why?",))),
        ({"prompt": "\nHuman: no transcript"}, Asked(("\nHuman: no transcript",))),
    ],
)
def test_questions(row: Any, wanted: Asked) -> None:
    assert asked(row) == wanted


ONE = Preference((WHY,), "Yes.", "No.")
LONG = Preference((*HI, WHY), "Yes.", "No.")
SCORED = [
    {"response": "So so.", "overall_score": 9.0, "fine-grained_score": 3.0},
    {"response": "Yes.", "overall_score": 8.0, "fine-grained_score": 5.0},
    {"response": "No.", "overall_score": 10.0, "fine-grained_score": 1.0},
]


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"prompt": "Why?", "chosen": "Yes.", "rejected": "No."}, ONE),
        ({"prompt": ONCE, "chosen": [YES], "rejected": [NO], "score_chosen": 2, "score_rejected": 2}, ONE),
        ({"prompt": "Why?", "chosen": "Yes.", "rejected": [NO]}, ONE),
        ({"messages": CHAT, "chosen": "Yes.", "rejected": "No."}, LONG),
        ({"chosen": [*CHAT, YES], "rejected": [*CHAT, NO], "score_chosen": 9.0, "score_rejected": 1.0}, LONG),
        # As zephyr's data has it: the prompt, and both conversations whole, one of them twice.
        ({"prompt": "Why? ", "chosen": [*ONCE, YES], "rejected": [*ONCE, NO], "messages": [*ONCE, YES]}, ONE),
        ({"prompt": CHAT, "chosen": [*CHAT, YES], "rejected": [*CHAT, NO]}, LONG),
        ({"chosen": f"{HH} Yes.", "rejected": f"{HH} No."}, LONG),
        ({"prompt": HH, "chosen": " Yes.", "rejected": " No."}, Preference((*HI, WHY), " Yes.", " No.")),
        ({"instruction": "Why?", "input": "It rains.", "chosen": "Yes.", "rejected": "No."},
         Preference((Message("user", "Why?\n\nIt rains."),), "Yes.", "No.")),
        ({"system": "", "question": "Why?", "chosen": "Yes.", "rejected": "No."}, ONE),
        ({"conversations": GPT, "chosen": {"from": "gpt", "value": "Yes."},
          "rejected": {"from": "gpt", "value": "No."}}, LONG),
        ({"instruction": "Why?", "completions": SCORED, "source": "evol_instruct"}, ONE),
        ({"instruction": "Why?", "completions": [{"response": "No.", "overall_score": 1},
                                                 {"response": "Yes.", "overall_score": 2, "fine-grained_score": 1}]},
         ONE),
        ({"chosen": "The sky is blue.", "rejected": "The sky is black."},
         Preference((Message("user", "The sky is"),), " blue.", " black.")),
    ],
)  # fmt: skip
def test_preferences(row: Any, wanted: Preference) -> None:
    assert preference(row) == wanted


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ([1], "not an object"),
        ({"article": "a", "summary": None}, r"needs turns, .*; its columns are 'article'$"),
        ({}, "its columns are none"),
        ({str(number): 1 for number in range(99)}, "'11', …$"),
        ({"turns": "Why?"}, "turns: must be a list"),
        ({"turns": ["a", 3]}, "turns: must be a text and is int"),
        ({"instruction": "a", "input": "b", "context": "c"}, "input and context"),
        ({"instruction": "a", "input": ["b"]}, "input: must be a text and is list"),
        ({"instruction": "a", "history": [["b"]]}, "history"),
        ({"prompt": [*CHAT, YES]}, "must be the user's"),
        ({"prompt": "half \ud83d"}, "lone surrogate"),
        ({"prompt": "a", "system": "b", "system_prompt": "c"}, "two system texts"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "the role 'tool'"),
        ({"messages": [{"role": ["user"], "content": "a"}]}, "the role"),
        ({"messages": ["a"]}, "an object of role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "parts of text only"),
        ({"messages": [*ONCE, {**YES, "tool_calls": [{"id": "x"}]}, *ONCE]}, "calls of tools"),
        ({"conversations": []}, "conversations: must be a text, or messages"),
    ],
)
def test_what_asks_nothing_is_refused(row: Any, complaint: str) -> None:
    with pytest.raises(UnknownShape, match=complaint):
        asked(row)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"chosen": "Yes.", "rejected": [*ONCE, NO]}, "one shape"),
        ({"chosen": [*ONCE, YES], "rejected": [*CHAT, NO]}, "one conversation but for their last message"),
        ({"prompt": "How?", "chosen": [*ONCE, YES], "rejected": [*ONCE, NO]}, "not what chosen and rejected begin"),
        ({"chosen": [YES, YES], "rejected": [YES, NO]}, "must be the user's"),
        ({"chosen": f"{HH}\n\nHuman: So?", "rejected": HH}, "must be the assistant's"),
        ({"prompt": "a", "chosen": "b", "rejected": "c", "score_chosen": 1, "score_rejected": 2.5}, "is less than"),
        ({"instruction": "a", "completions": [{"response": "b", "overall_score": 1}]}, "two or more"),
        ({"instruction": "a", "completions": [{"response": "b"}, {"response": "c"}]}, "each with fine-grained_score"),
        ({"instruction": "a", "completions": [{**SCORED[0]}, {**SCORED[0]}]}, "all have one fine-grained_score"),
        ({"completions": SCORED}, "instruction: is missing; its columns are 'completions'"),
    ],
)
def test_what_prefers_nothing_is_refused(row: Any, complaint: str) -> None:
    with pytest.raises(UnknownShape, match=complaint):
        preference(row)
