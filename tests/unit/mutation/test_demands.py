"""What conversations demand, and that no line behind them contradicts it."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bench
from services.mutation.demands import Aspect, Demand, read
from services.mutation.demands.kinds import FORBIDS
from services.mutation.demands.reading import LANGUAGES
from services.mutation.templates import TEMPLATES, pool
from shared.records.evolution import Message
from tests.unit.mutation.conversations import system, user
from tests.unit.mutation.demanding import SAID

PROMPTS = [json.loads(line) for line in (Path(bench.__file__).parent / "formats.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("prompt", PROMPTS, ids=[prompt["id"] for prompt in PROMPTS])
def test_no_line_contradicts_a_prompt_that_demands_a_form(prompt: dict[str, object]) -> None:
    messages = [Message(**message) for message in prompt["messages"]]  # type: ignore[attr-defined]
    assert all(not template.imposes for template in pool(read(messages)))


CASES = [(language, kind, text) for language, kinds in SAID.items() for kind, text in kinds.items()]


@pytest.mark.parametrize(("language", "kind", "text"), CASES)
def test_every_kind_is_found(language: str, kind: Demand, text: str) -> None:
    found = read(user(text))
    assert found.language == language
    assert kind in found.kinds
    assert all(not template.imposes & FORBIDS[kind] for template in pool(found))


def test_every_kind_and_every_language_has_a_case() -> None:
    assert set(SAID) == set(LANGUAGES)
    assert set(SAID["en"]) | {Demand.TASK, Demand.EXAMPLES} == set(Demand)


OPEN = """
How do I learn to swim?
Why do we write tests before refactoring?
Explain how a refrigerator works.
What are the pros and cons of remote work?
Write a story about a dragon who is afraid of fire.
Write a captivating short story that begins in an old house.
How does JSON differ from XML?
How do I parse a CSV file in Python?
How do I extract the juice of a lemon?
Write a Python function that reverses a linked list.
Plan a trip to Rome for five days.
I just moved to a new city. How do I make friends?
Explain the difference between a virus and a bacterium in detail.
Pretend to be Elon Musk. Why do we need to go to Mars?
How do French people celebrate Christmas?
Solve x^2 - 5x + 6 = 0.
Draft a professional email to a customer.
When rolling two dice, what is the probability that you roll at least 3?
Find the words that occur in both lists without using any extra data structures.
Please justify your answer using principles of physics: why does ice float?
Write a 2000-word essay about the sea.
Give me some tips on speaking in public.
Write a story with two characters who meet on a train.
How do I write a good title for my blog?
How does a classifier decide between classes?
What is machine translation and how does it work?
Explain sentiment analysis to a beginner.
Create a website that shows a joke from a list of 4 jokes.
""".strip().splitlines()


@pytest.mark.parametrize("text", OPEN)
@pytest.mark.parametrize("prompt", ["", "You are a helpful assistant."])
def test_open_questions_keep_every_template(text: str, prompt: str) -> None:
    messages = system(prompt, text) if prompt else user(text)
    found = read(messages)
    takes_room = Demand.DETAIL in found.kinds
    allowed = tuple(each for each in TEMPLATES if not takes_room or Aspect.BREVITY not in each.imposes)
    assert pool(found) == allowed
    assert len(allowed) >= len(TEMPLATES) - 2
    assert takes_room == any(word in text for word in ("story", "essay", "in detail", "blog"))


FORMED = """
Capital of Peru, one word
What is DNA? (1 sentence)
Is Pluto a planet? Y/N
How much is 15% of 80? Just give me the result.
What year did the war end (just the year)?
Reply "OK" if you understand.
Say exactly "hello world".
Give me the first ten primes, comma separated.
Make this sentence passive: The dog bit the man.
Please limit your answer to two sentences. What is jazz?
Write a product description of at most 280 characters for a mug.
List the planets in order, one per line.
Bullet points: benefits of tea
Don't explain. What's 5*7?
Answer in French: what is the capital of Spain?
On a scale from 1 to 10, rate this essay: I like tea.
Wie viel ist 15% von 80? Nur das Ergebnis.
Explique les trous noirs en 50 mots.
Explica los agujeros negros en 50 palabras.
用50个字解释黑洞。
""".strip().splitlines()


@pytest.mark.parametrize("text", FORMED)
def test_requests_for_a_form_keep_it(text: str) -> None:
    assert all(not template.imposes for template in pool(read(user(text))))


def test_a_brief_part_is_no_brief_answer() -> None:
    assert read(user("Suggest five films with brief descriptions for students.")).kinds == {Demand.ENUMERATION}


def test_partial_demands_leave_what_they_do_not_touch() -> None:
    listed = pool(read(user("How have the Alps shaped farming in Europe? List three impacts.")))
    assert listed == tuple(each for each in TEMPLATES if not {Aspect.PROSE, Aspect.ORDER} & each.imposes)
    toned = pool(read(user("Tell me about Rome in a formal tone.")))
    assert listed
    assert set(TEMPLATES) - set(toned) == {template for template in TEMPLATES if Aspect.TONE in template.imposes}
    long = pool(read(user("How does a refrigerator work? Explain it thoroughly.")))
    assert set(TEMPLATES) - set(long) == {template for template in TEMPLATES if Aspect.BREVITY in template.imposes}


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(min_size=1, max_size=300).filter(str.strip),
    case=st.sampled_from([case for case in SAID["en"].items() if case[0] is not Demand.LANGUAGE]),
)
def test_a_demand_is_seen_whatever_stands_before_it(text: str, case: tuple[Demand, str]) -> None:
    kind, demand = case
    assert kind in read(user(f"{text}\n\n{demand}")).kinds
    assert all(not template.imposes & FORBIDS[kind] for template in pool(read(user(f"{text}\n\n{demand}"))))
