"""What form a conversation demands, and which answers have it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reward.calibrate import read_pairs
from services.reward.form.demands import Form, form_of
from services.reward.form.scorer import BROKEN, FormScorer
from services.reward.scorer import Conversation, ScoreItem
from shared.records.evolution import Message

TEXT = "The train leaves at nine."
YES = frozenset({"yes", "no"})


def form(text: str, system: str = "") -> Form:
    systems = (Message("system", system),) if system else ()
    return form_of((*systems, Message("user", text)))


@pytest.mark.parametrize(
    ("demand", "found"),
    [
        ("Is a whale a fish? Answer yes or no only.", Form(answers=YES)),
        ("Ist ein Wal ein Fisch? Antworte nur mit Ja oder Nein.", Form(answers=frozenset({"ja", "nein", "nee"}))),
        (
            "Une baleine est-elle un poisson ? Réponds uniquement par oui ou non.",
            Form(answers=frozenset({"oui", "non"})),
        ),
        ("¿Es un pez la ballena? Responde solo sí o no.", Form(answers=frozenset({"si", "no"}))),
        ("La balena è un pesce? Rispondi solo sì o no.", Form(answers=frozenset({"si", "no"}))),
        ("A baleia é um peixe? Responda apenas sim ou não.", Form(answers=frozenset({"sim", "nao"}))),
        ("Is een walvis een vis? Antwoord alleen met ja of nee.", Form(answers=frozenset({"ja", "nein", "nee"}))),
        ("鲸鱼是鱼吗？只回答是或否。", Form(answers=frozenset({"是", "否", "不是"}))),
        ("クジラは魚ですか。はいかいいえだけで答えて。", Form(answers=frozenset({"はい", "いいえ"}))),
        ("Explain inflation in one sentence.", Form(sentences=1)),
        ("Erkläre Inflation in höchstens zwei kurzen Sätzen.", Form(sentences=2)),
        ("Explique l'inflation en une seule phrase.", Form(sentences=1)),
        ("Explica la inflación en no más de 3 frases.", Form(sentences=3)),
        ("Spiega l'inflazione in una frase.", Form(sentences=1)),
        ("Explique a inflação em duas frases.", Form(sentences=2)),
        ("Leg inflatie uit in maximaal 20 woorden.", Form(words=20)),
        ("用一句话解释通货膨胀。", Form(sentences=1)),
        ("インフレを一文で説明して。", Form(sentences=1)),
        ("What is a database? At most ten words.", Form(words=10)),
        ("What is a database? 20 words or less.", Form(words=20)),
        ("What is a database, in about 20 words?", Form(words=30)),
        ("Give me the plural of mouse, in a single word.", Form(words=1)),
        ("Which team fits: sports or politics? One word.\nThe match is over.", Form(words=1)),
        ("Is this spam or ham? Reply with one word.\nYou have won!", Form(words=1)),
        ("What is 7 times 8? Number only.", Form(number=True)),
        ("Wie viele Beine hat eine Spinne? Nur die Zahl.", Form(number=True)),
        ("Write a title for a post about tomatoes. Only the title.", Form(words=16, lines=1)),
        ("Classify the review as positive or negative. One word. The food was cold.", Form(words=1, lines=1)),
        ("Write a one-sentence summary.", Form(sentences=1)),
        ("List three fruits, one per line, nothing else.", Form(lines=3, items=3, listed=3)),
        ("List three fruits.", Form(items=3)),
        ("Return a JSON object with the key a.", Form(json=True)),
        ("Name the largest ocean. You must always respond with valid JSON.", Form(json=True)),
        ("Give me the capital of Italy as JSON, nothing else.", Form(json=True)),
        ("Gib nur JSON aus.", Form(json=True)),
        ('Write the lines "name: ..." and "city: ...".\nAnn is in Rome.', Form(keys=frozenset({"name", "city"}))),
    ],
)
def test_a_strict_demand_is_seen(demand: str, found: Form) -> None:
    assert form(demand) == found


@pytest.mark.parametrize(
    "text",
    [
        "Translate into French, translation only: " + TEXT,
        "Übersetze ins Englische, nur die Übersetzung: " + TEXT,
        "Traduce al español, nada más que la traducción: " + TEXT,
        "翻译成英文，只给译文：" + TEXT,
    ],
)
def test_a_translation_is_one_and_no_word_about_it(text: str) -> None:
    asked = form(text)
    assert asked.translation
    assert asked.lines == 1
    assert asked.holds("Le traducteur est malade.", partial=False)
    assert asked.holds("Le train part à neuf heures.", partial=False)
    assert not asked.holds("The translation is: Le train part à neuf heures.", partial=True)
    assert not asked.holds("Le train part.\nIt leaves at nine.", partial=True)
    assert not asked.holds("word " * 60, partial=True)


def test_a_text_of_several_lines_is_translated_to_as_many() -> None:
    asked = form("The cat sleeps.\nThe dog barks.", "Translate whatever the user writes into French. Translation only.")
    assert asked.holds("Le chat dort.\nLe chien aboie.", partial=False)
    assert not asked.holds("Le chat dort.\nLe chien aboie.\n(I took chien for dog.)", partial=True)


def test_hostile_texts_are_read_in_no_time() -> None:
    for text in ("在一字" * 50_000, "in one word " * 20_000, "only json " * 20_000, "[" * 100_000, "a: ...\n" * 20_000):
        asked = form(text)
        assert asked.words > 0
        assert not Form(json=True).holds("x" + text, partial=True)
    assert Form(json=True).holds("[" * 100_000, partial=True)
    assert not Form(json=True).holds("[" * 100_000, partial=False)


def test_a_system_prompt_demands_too() -> None:
    assert form("Can I return it?", "Check the policy. Answer only with yes or no.") == Form(answers=YES)
    assert form("Why do cats purr?", "Never use more than 12 words.") == Form(words=12)


@pytest.mark.parametrize(
    "text",
    [
        "Why is the sky blue?",
        "Explain photosynthesis to a child, with an example.",
        "Write at least 300 words about Rome.",
        "Write a story of 500 words or more.",
        "Describe each of the three planets in one sentence.",
        "Give one sentence each about Rome and Paris.",
        "The following 3 sentences are from a letter. What is it about?",
        "I can only speak one language. Which should I learn?",
        "What does the title of the book mean?",
        "How do I parse JSON in Python?",
        "How do I read a JSON object?",
        "How do I read only one field of a JSON file?",
        "Why does the server return JSON with null?",
        "Write a function that returns a JSON object.",
        "Write a regular expression that matches only numbers. I need it in a script.",
        "Select only the year from a date in SQL.",
        "Can I say only yes or no in court?",
        "The song has just two words. Which is it?",
        "Give three examples for each of these.",
        "Only the title and the author are known: who wrote Moby-Dick?",
        "Translate this and explain the grammar: " + TEXT,
        "Is it true or false that whales are fish? Explain yes or no.",
        "Extract the keywords, then summarize in at most 10 words, then tell if it is positive or negative, one word.",
        "Give me a list of songs.",
        "Is 7 prime? Only answer yes or no, and explain why.",
        "Ist 7 eine Primzahl? Antworte nur mit Ja oder Nein und erkläre es.",
        "Tell me in one sentence who Ada Lovelace was, and list her works.",
        "Give me only the title of the book and its author.",
        "Give 2 pros and 2 cons of remote work.",
        "Can you use it in a sentence?",
        "Use the words sun and moon in a poem.",
    ],
)
def test_what_is_no_strict_demand_is_none(text: str) -> None:
    assert form(text) == Form()


HOLDING: list[tuple[Form, str]] = [
    (Form(answers=YES), " Yes."),
    (Form(answers=YES), "«no»"),
    (Form(words=3), "One two three"),
    (Form(sentences=1), "It costs 3.50 e.g. in Rome."),
    (Form(sentences=2), "First. Second!"),
    (Form(lines=2, items=2), "- a\n\n- b"),
    (Form(lines=3, listed=3), "apples, pears and plums"),
    (Form(items=2), "1. a\n- b\n- c\n  - d\n2. e\n   * f"),
    (Form(number=True), "1,024"),
    (Form(number=True), "2, 3, 5, 7"),
    (Form(json=True), ' {"a": [1, "}"]} '),
    (Form(json=True), "[]"),
    (Form(keys=frozenset({"name", "city"})), "City: Rome\nName: Ann"),
    (Form(translation=True, lines=1), "Le chat dort."),
]
BROKEN_BY: list[tuple[Form, str]] = [
    (Form(answers=YES), "Yes, it is."),
    (Form(words=3), "One two three four"),
    (Form(sentences=1), "First. Second"),
    (Form(sentences=1), "一。二"),
    (Form(lines=1), "a\nb"),
    (Form(items=2), "1. a\n2. b\n3. c"),
    (Form(number=True), "It is 3"),
    (Form(json=True), 'Here: {"a": 1}'),
    (Form(json=True), '{"a": 1} as you asked'),
    (Form(keys=frozenset({"name", "city"})), "City: Rome\nHere"),
    (Form(keys=frozenset({"name"})), "Name: A\nName: B"),
    (Form(translation=True), "Here is the translation"),
]
LATER = [
    (Form(lines=3, items=3, listed=3), "1. a\n2. b"),
    (Form(lines=3, items=3, listed=3), "1. 3-4.\n\nThere is 3.4 in this answer."),
    (Form(json=True), '{"a": 1'),
    (Form(keys=frozenset({"name", "city"})), "Name: A"),
    (Form(answers=YES), "Ye"),
]


@pytest.mark.parametrize(("asked", "text"), HOLDING)
def test_an_answer_that_has_the_form_has_it_all_the_way(asked: Form, text: str) -> None:
    assert asked.holds(text, partial=False)
    assert all(asked.holds(text[:end], partial=True) for end in range(len(text) + 1))


@pytest.mark.parametrize(("asked", "text"), BROKEN_BY)
def test_one_that_cannot_have_it_any_more_is_broken_before_its_end(asked: Form, text: str) -> None:
    assert not asked.holds(text, partial=True)
    assert not asked.holds(text, partial=False)


@pytest.mark.parametrize(("asked", "text"), LATER)
def test_one_that_may_have_it_yet_is_broken_by_ending(asked: Form, text: str) -> None:
    assert asked.holds(text, partial=True)
    assert not asked.holds(text, partial=False)


PIECES = st.sampled_from(
    ["a", "yes", "no", "1", ". ", ", ", "\n", "- ", "2. ", "{", "}", '"a"', ": ", "name", "translat", " "]
)


@given(st.sampled_from([asked for asked, _ in HOLDING]), st.lists(PIECES, max_size=12).map("".join), st.integers(0, 40))
def test_what_is_broken_stays_broken(asked: Form, text: str, end: int) -> None:
    assert asked.holds(text[:end], partial=True) or not asked.holds(text, partial=True)


@given(st.text(max_size=200), st.text(max_size=200), st.booleans())
def test_any_conversation_has_a_form_and_any_answer_a_score(instruction: str, text: str, partial: bool) -> None:
    item = ScoreItem(Conversation((Message("user", instruction),)), text, partial)
    (score,) = FormScorer().score([item])
    assert score.value in (0.0, BROKEN)


def test_chosen_answers_break_a_form_less_often_than_rejected_ones(shared_data: Path) -> None:
    """Where people's preferences were asked for a form at all; the rest feels nothing."""
    asked = [(pair, form_of(pair.conversation.messages)) for pair in read_pairs(shared_data)[::2]]
    asked = [(pair, found) for pair, found in asked if found != Form()]
    chosen = sum(not found.holds(pair.chosen, partial=False) for pair, found in asked)
    rejected = sum(not found.holds(pair.rejected, partial=False) for pair, found in asked)
    assert len(asked) > 20
    assert chosen < rejected
