"""The mutation operators: how a language model is asked for a rewrite, and how its output is read. Pure.

Prompts are few-shot, with the examples as earlier turns of the chat: a model too small to follow an instruction
about instructions still follows a pattern. The examples of an operator come before the instruction, so that an
engine with prefix caching computes them once.
"""

import json
import re
from dataclasses import dataclass

from services.mutation.demands import Aspect
from shared.records.evolution import Message

# Tokens of {"instruction": ""} and the end token.
SHAPE_TOKENS = 10
MIN_REWRITE_CHARS = 8

JSON_SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"instruction": {"type": "string", "minLength": MIN_REWRITE_CHARS, "maxLength": 2000}},
        "required": ["instruction"],
        "additionalProperties": False,
    }
)

_TRUNCATED = re.compile(r'^\s*\{\s*"instruction"')
_WHOLE = re.compile(r'\{\s*"instruction"\s*:\s*("(?:[^"\\]|\\.)*")\s*\}', re.DOTALL)
_LABEL = re.compile(
    r"^\s*(?:(?:rewritten |new |revised )?(?:instruction|rewrite this request|request|prompt|rewrite|output)\s*:)\s*",
    re.I,
)


@dataclass(frozen=True)
class Operator:
    """One way to rewrite.

    `task` is what the language model is asked to do, `examples` are (instruction, rewrite) pairs that show it.
    `imposes` is what such a rewrite asks of the answer beside what the instruction asks.
    """

    name: str
    task: str
    examples: tuple[tuple[str, str], ...]
    imposes: frozenset[Aspect] = frozenset()


OPERATORS: dict[str, Operator] = {
    operator.name: operator
    for operator in (
        Operator(
            "clarify",
            "Rewrite the request so that it is easier to understand.",
            (
                (
                    "Why is the sky blue and sunsets red?",
                    "Explain why the sky looks blue during the day and why sunsets look red.",
                ),
                (
                    "Write a function that removes duplicates from a list in Ruby.",
                    "Write a Ruby function that takes a list and returns it without any duplicates.",
                ),
                (
                    "A shop sells 12 pens for $6. What do 30 pens cost?",
                    "If a shop sells 12 pens for $6, what is the total cost of 30 pens at the same price?",
                ),
            ),
        ),
        Operator(
            "add_detail",
            "Rewrite the request so that it asks for a more detailed answer.",
            (
                (
                    "How do vaccines work?",
                    "How do vaccines work? Describe each step in detail and explain why it matters.",
                ),
                (
                    "Write a letter to my landlord about a broken heater.",
                    "Write a letter to my landlord about a broken heater, describing the problem, how it affects me, "
                    "and what I expect to be done.",
                ),
                (
                    "List four causes of the French Revolution.",
                    "List four causes of the French Revolution and explain each of them with examples.",
                ),
            ),
            frozenset({Aspect.LENGTH, Aspect.REASONS}),
        ),
        Operator(
            "simplify",
            "Rewrite the request in shorter and simpler words.",
            (
                (
                    "Could you elaborate on the mechanisms by which caffeine influences human sleep?",
                    "How does caffeine affect human sleep?",
                ),
                (
                    "Compose a humorous poem concerning a cat that is terrified of 3 mice.",
                    "Write a funny poem about a cat that is afraid of 3 mice.",
                ),
                (
                    "Please provide a comparison of the economic systems of Canada and Mexico.",
                    "Compare the economies of Canada and Mexico.",
                ),
            ),
        ),
        Operator(
            "rephrase",
            "Rewrite the request in other words with the same meaning.",
            (
                (
                    "What are the health benefits of walking every day?",
                    "In what ways does a daily walk improve your health?",
                ),
                (
                    "Write a short speech for my sister's wedding.",
                    "Please draft a brief speech that I can give at the wedding of my sister.",
                ),
                (
                    "If a car drives 90 km in 2 hours, what is its speed?",
                    "What is the speed of a car that covers 90 km in 2 hours?",
                ),
            ),
        ),
        Operator(
            "plan_first",
            "Rewrite the request so that it asks for a plan first and then the answer.",
            (
                (
                    "How can I learn to play the piano?",
                    "First list the main points to cover, and then explain how I can learn to play the piano.",
                ),
                (
                    "Write a Java program that sorts 50 names.",
                    "Outline the steps of a Java program that sorts 50 names, and then write it.",
                ),
                (
                    "Describe the main parts of a bicycle.",
                    "Make a short plan, and then describe the main parts of a bicycle.",
                ),
            ),
            frozenset({Aspect.STEPS}),
        ),
    )
}


def chat(operator: Operator, instruction: str) -> tuple[Message, ...]:
    """The conversation that asks a model to rewrite `instruction`; the last turn is the user's."""
    system = (
        f"{operator.task} Keep its language, meaning, names and numbers. Do not answer it. "
        'Reply as {"instruction": "..."}.'
    )
    turns = [Message("system", system)]
    for before, after in operator.examples:
        turns.append(Message("user", _request(before)))
        turns.append(Message("assistant", json.dumps({"instruction": after}, ensure_ascii=False)))
    turns.append(Message("user", _request(instruction)))
    return tuple(turns)


def _request(instruction: str) -> str:
    return f"Rewrite this request: {instruction}"


def example_texts(operator: Operator) -> tuple[str, ...]:
    """Every text that an operator's prompt shows."""
    return tuple(text for pair in operator.examples for text in pair)


def parse(output: str) -> str | None:
    """The rewrite in a model's output, or None where the output is not of the shape asked for.

    Reads the JSON object asked for, also with text around it, and else bare text of one paragraph, which models
    without structured output give. Truncated JSON is None: half a rewrite is another instruction.
    """
    found = _WHOLE.search(output)
    if found:
        try:
            return _bare(json.loads(found.group(1), strict=False))
        except json.JSONDecodeError:
            return None
    if _TRUNCATED.match(output) or "{" in output[:3]:
        return None
    text = _bare(output)
    return text if "\n" not in text else None


def _bare(text: str) -> str:
    """The text without a label before it or quotation marks around it."""
    text = _LABEL.sub("", text.strip()).strip()
    if len(text) >= 2 and text[0] == text[-1] == '"' and '"' not in text[1:-1]:
        text = text[1:-1].strip()
    return text
