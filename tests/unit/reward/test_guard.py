"""Right answers of many kinds cost nothing, degenerate ones do."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.reward.calibrate import guard_share, read_pairs
from services.reward.guard import EMPTY, GuardScorer, penalty
from services.reward.scorer import Conversation, ScoreItem
from shared.records.evolution import Message

CSV = "id,name,city,age\n" + "\n".join(f"{n},{('Ann', 'Bob', 'Cid')[n % 3]},Rome,{20 + n}" for n in range(1, 31))
ROWS = json.dumps([{"id": n, "active": True, "score": n * n} for n in range(40)], indent=2)
IDENTITY = "\n".join(" ".join("1" if i == j else "0" for j in range(10)) for i in range(10))
TABLE = "| n | n² |\n| --- | --- |\n" + "\n".join(f"| {n} | {n * n} |" for n in range(1, 25))
RIGHT = (
    ("What is the capital of France?", "Paris."),
    ("Is the sky blue? Yes or no only.", "Yes"),
    ("Is fire cold? Yes or no only.", "No"),
    ("What is 2 + 2?", "4"),
    ("What is 6 times 7?", "42"),
    ("Which option is right, A or B?", "B"),
    ("Chemical symbol of gold?", "Au"),
    ("法国的首都是巴黎吗？", "是"),
    ("Describe Paris.", "The capital of France is Paris, a city on the Seine with about two million inhabitants."),
    ("巴黎在哪里？", "巴黎是法国的首都，位于塞纳河畔。"),
    ("List the first ten primes, numbers only.", "2, 3, 5, 7, 11, 13, 17, 19, 23, 29"),
    ("Count to 100.", " ".join(map(str, range(1, 101)))),
    ("Count to 100, one a line.", "\n".join(map(str, range(1, 101)))),
    ("First ten powers of two?", "1 2 4 8 16 32 64 128 256 512"),
    ("Give pi to 60 digits.", "3.141592653589793238462643383279502884197169399375105820974944"),
    ("Factorial of 30?", "265252859812191058636308480000000"),
    ("Where is the tower?", "48.8584° N, 2.2945° E"),
    ("Give me ten coordinates.", "\n".join(f"({n}.5, -{n * 7 % 90}.25)" for n in range(10))),
    ("Rows as CSV", CSV),
    ("Rows as JSON", ROWS),
    ("Rows as JSON, compact", json.dumps({"values": list(range(60)), "flags": [True, False] * 6})),
    ("A table of squares", TABLE),
    ("Identity matrix of size 10", IDENTITY),
    ("A 5 by 5 matrix of zeros", "\n".join(["0 0 0 0 0"] * 5)),
    ("Hex of the key", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    ("Hex dump it", "00 00 00 00 7f 45 4c 46 02 01 01 00 00 00 00 00 00 00 00 00"),
    ("Encode hello in base64", "aGVsbG8gd29ybGQsIHRoaXMgaXMgYSBsb25nIHN0cmluZw=="),
    ("300 in binary", "100101100"),
    ("The quadratic formula", "x = (-b ± √(b² - 4ac)) / (2a)"),
    ("Quadratic formula in LaTeX", r"$$x = \frac{-b \pm \sqrt{b^2 - 4ac}}{2a}$$"),
    ("De Morgan", "¬(p ∧ q) ⇔ (¬p ∨ ¬q)"),
    ("A regex for IPv4", r"^((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)$"),
    ("A function that adds", "def add(a, b):\n    return a + b\n"),
    (
        "FizzBuzz in C",
        '#include <stdio.h>\nint main(void) {\n  for (int i = 1; i <= 100; i++) {\n    if (i % 15 == 0) puts("both");\n'
        '    else if (i % 3 == 0) puts("Fizz");\n    else if (i % 5 == 0) puts("Buzz");\n    else printf("%d\\n", i);\n'
        "  }\n  return 0;\n}\n",
    ),
    ("FizzBuzz to 15", "1 2 Fizz 4 Buzz Fizz 7 8 Fizz Buzz 11 Fizz 13 14 FizzBuzz"),
    ("HTML of nested boxes", "<div>" * 8 + "x" + "</div>" * 8),
    ("Rows in HTML", "".join(f"<tr><td>{n}</td><td>{n * n}</td></tr>\n" for n in range(20))),
    ("SQL inserts", "\n".join(f"INSERT INTO t (id, name) VALUES ({n}, 'n{n}');" for n in range(20))),
    ("YAML of ports", "\n".join(f"- port: {8000 + n}\n  open: true" for n in range(15))),
    ("Table of 7", "\n".join(f"7 × {n} = {7 * n}" for n in range(1, 21))),
    ("Key of the quiz", "\n".join(f"{n}. {'ABCD'[n * 7 % 4]}" for n in range(1, 31))),
    ("True or false for each", "\n".join(f"{n}. {'True' if n % 3 else 'False'}" for n in range(1, 11))),
    ("Dates of the Mondays", "\n".join(f"2026-01-{n:02d}" for n in range(5, 31, 7))),
    ("Ten phone numbers", "\n".join(f"+49 30 {n * 7919 % 10**7:07d}" for n in range(1, 11))),
    ("Move of the game", "1. e4 e5 2. Nf3 Nc6 3. Bb5 a6 4. Ba4 Nf6 5. O-O Be7 6. Re1 b5 7. Bb3 d6 8. c3 O-O"),
    ("Recipe", "1. Mix flour and milk.\n2. Add two eggs.\n3. Bake for 20 minutes at 180 °C."),
    ("A letter to sign", "I agree to the terms above.\n\nName: " + "_" * 60 + "\nDate: " + r"\_" * 40),
    ("With a heading", "Summary\n" + "=" * 80 + "\nAll went well.\n" + "-" * 80),
    ("A song", "Row, row, row your boat, gently down the stream."),
    ("Say ha ten times.", "ha " * 10),
    ("Say 'ha' 50 times", "Ha " * 50),
    ("Repeat 'I will not talk in class' twenty times.", "I will not talk in class. " * 20),
    ("Write 'no' over and over", "no " * 20),
    ("Répète « oui » 30 fois.", "oui " * 30),
    ("把“好”重复二十次", "好" * 20),
    ("Chorus of Hey Jude?", "Na na na na na na na, na na na na, hey Jude. " * 3),
    ("React with one emoji", "🎉"),
    ("Answer in emojis only: a day at the beach", "🏖️☀️🌊🏄‍♂️🍦😎"),
    ("SOS in Morse code", "... --- ..."),
    ("Which operator is 'not equal' in C?", "!="),
    ("Draw a line of ten stars", "**********"),
    ("Draw a small box in ASCII", "+----+\n|    |\n+----+"),
    ("แนะนำกรุงเทพ", "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทยและเป็นศูนย์กลางการปกครองการศึกษาและการคมนาคม"),
    ("भारत की राजधानी?", "भारत की राजधानी नई दिल्ली है, जो यमुना नदी के किनारे बसी हुई है और देश का प्रमुख नगर है।"),
    ("ما هي عاصمة مصر؟", "عاصمة مصر هي القاهرة، وهي أكبر مدينة في الوطن العربي وتقع على ضفاف نهر النيل."),
    ("東京について", "東京は日本の首都であり、世界で最も人口の多い都市圏の一つです。政治、経済、文化の中心地です。"),
    ("Столица России?", "Столица России — Москва, крупнейший город страны, стоящий на реке Москве."),
    ("A long German word", "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"),
)
PLAIN = "Tell me about the weather."
DEGENERATE = (
    "yes " * 12,
    "the " * 40,
    "good good good good good good good good",
    "no, no, no, no, no, no, no, no, no",
    "!!! ??? ...",
    "...",
    "🎉🎉🎉🎉🎉",
    "The cat sat on the mat. " * 12,
    "I am happy to help you.\n" * 6,
    "It is sunny and warm today, and it is sunny. " * 5 + "It is",
    "abababab" * 60,
    "aaaaaaaaaa" * 20,
    "hahaha" * 30,
    "= = = = = = = = = = " * 5,
    "| | | | | | | | | | | | | | | | | | | | | |",
    "1 1 1 1 1 1 1 1 1 1 " * 5,
    "0, " * 80,
    "[0], " * 60,
    "1\n" * 100,
    "你好" * 20,
    "天气很好。" * 10,
    "ดีมาก" * 20,
    "как дела " * 12,
    "".join(f"{n}. Be kind to everyone.\n" for n in range(1, 15)),
    "".join(f"{n}) Drink a lot of water every day\n" for n in range(1, 15)),
    "Well, here it is. " + "and then " * 20,
    "Weather: " + "sunny and warm, " * 12,
    "It rains. " + "I do not know. " * 10,
    "Breaking Bad, The Sopranos, The Wire, The Sopranos, " * 6,
    "The. The. The. The. The. The. The. The. The. The. The. The.",
    "<p>hello</p>\n" * 60,
    "x " + "#$%^&*()@!" * 20,
)


@pytest.mark.parametrize(("instruction", "text"), RIGHT)
def test_right_answers_cost_nothing(instruction: str, text: str) -> None:
    assert penalty(text, instruction) == 0


@pytest.mark.parametrize("text", DEGENERATE)
def test_degenerate_text_is_penalised(text: str) -> None:
    assert EMPTY <= penalty(text, PLAIN) < -0.9


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
def test_an_empty_answer_gets_the_fixed_low_score(text: str) -> None:
    assert penalty(text, "Say nothing.") == EMPTY


@pytest.mark.parametrize(
    ("instruction", "text"),
    [
        ("Say ha ten times.", "ha " * 200),
        ("Repeat 'I like you' three times.", "I like you. " * 40),
        ("Answer with an emoji", "🎉" * 300),
        ("A 3 x 3 matrix of zeros", "0 0 0\n" * 60),
    ],
)
def test_far_more_than_was_asked_for_is_a_loop(instruction: str, text: str) -> None:
    assert penalty(text, instruction) < -0.9


WORDS = ("the", "a", "cat", "sat", "12", "7", "on", "you", "好", "ok")
UNITS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(UNITS, st.sampled_from([" ", ". ", "\n", ", "]), st.sampled_from([PLAIN, "Say it ten times."]))
def test_a_loop_never_costs_less_for_running_on(unit: str, end: str, instruction: str) -> None:
    costs = [penalty((unit + end) * count, instruction) for count in (1, 2, 3, 5, 8, 12, 20, 40, 300)]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < -0.9


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=60))
def test_any_text_has_a_penalty(text: str, instruction: str) -> None:
    assert EMPTY <= penalty(text, instruction) <= 0


def test_a_penalty_is_of_the_answer_and_its_conversation_alone() -> None:
    loop, asked = "ha " * 10, Conversation((Message("user", "Say ha ten times."),))
    plain = Conversation((Message("user", PLAIN),))
    items = [ScoreItem(asked, loop), ScoreItem(plain, loop), ScoreItem(plain, "Sunny.")]
    expected = [0.0, -2.5, 0.0]
    assert [score.value for score in GuardScorer().score(items)] == expected
    assert [score.value for score in GuardScorer().score(items[::-1])] == expected[::-1]


def test_98_percent_of_real_responses_cost_nothing(shared_data: Path) -> None:
    share = guard_share(read_pairs(shared_data)[::5])
    print(f"{share:.2%} of the real responses cost nothing")
    assert share >= 0.98
