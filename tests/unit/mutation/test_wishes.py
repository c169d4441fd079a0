"""Which wishes are told, in which words, and that nothing in them breaks what stands around."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mutation.demands import Demands, read
from services.mutation.line_kinds import KIND_OF, Kind
from services.mutation.lines import OPEN
from services.mutation.recombination import crossover, operator_of
from services.mutation.templates import TEMPLATES, core_of, pool
from services.mutation.wish_lines import WISH_FRAMES
from services.mutation.wishes import Wishes, dressed, weighed
from shared.records.evolution import Message
from shared.text.folding import is_one_line

BRIEF, PLAIN, ASKS = "at most two sentences", "uses plain words", "ends with a question"
STEPS, RIVALS, TICKET = "thorough, with steps", "never mentions competitors", "always cites a ticket number"
ALL = (BRIEF, PLAIN, ASKS, STEPS, RIVALS, TICKET)
ORIGINAL = "Why do boats float?"


def demanded(*turns: str, system: str = "") -> Demands:
    before = [Message("system", system)] if system else []
    return read([*before, *(Message("user", turn) for turn in turns)])


def told(instruction: str, system: str = "") -> tuple[str, ...]:
    return weighed(ALL, demanded(instruction, system=system)).told


@pytest.mark.parametrize(
    ("instruction", "withheld"),
    [
        (ORIGINAL, ()),
        ("Why do boats float? Explain it in detail.", (BRIEF,)),
        ("Write at least five paragraphs about boats.", (BRIEF,)),
        ("Write three pages about boats.", (BRIEF,)),
        ("Why do boats float? Answer in three sentences.", (BRIEF, STEPS)),
        ("Explain briefly why boats float.", (BRIEF, STEPS)),
        ("Warum schwimmen Boote? Bitte ausführlich.", (BRIEF,)),
        ("Why do boats float? Answer with yes or no only.", ALL),
        ("Why do boats float? Answer as valid JSON.", (BRIEF, ASKS, STEPS, RIVALS, TICKET)),
        ("Why do boats float? Return only valid JSON.", ALL),
        ("Translate this into French: boats float on the water of the sea.", ALL),
        ("Write a poem about boats.", (BRIEF, STEPS)),
        ("Why do boats float? Answer in French.", ()),
    ],
)
def test_what_the_user_demands_comes_first(instruction: str, withheld: tuple[str, ...]) -> None:
    wishes = weighed(ALL, demanded(instruction))
    assert wishes.withheld == withheld
    assert wishes.told == tuple(wish for wish in ALL if wish not in withheld)


@pytest.mark.parametrize(
    "wish",
    [
        *(PLAIN, "short, plain words that everybody knows", "in plain English", "no jargon", "a friendly tone"),
        *("polite and warm", "written in a formal style", "answer in German", "always reply in French"),
        *(
            "auf Deutsch",
            "in einfachen Worten",
            "in einem freundlichen Ton",
            "ohne Fachbegriffe",
            "avec des mots simples",
        ),
        *("con palabras sencillas", "un tono cordiale", "in eenvoudige taal", "em linguagem simples"),
    ],
)
def test_a_wish_about_the_words_of_an_answer_goes_with_a_format(wish: str) -> None:
    assert weighed([wish], demanded("Describe boats as a JSON object.")).told == (wish,)


@pytest.mark.parametrize(
    "wish",
    [
        *(BRIEF, ASKS, STEPS, RIVALS, TICKET, "plain words, with an example", "simple words in two sentences"),
        *("a friendly greeting first", "a polite closing line", "in a friendly tone, ends with thanks", "no lists"),
        *(
            "in German, as a list",
            "in German with a table",
            "ends in German",
            "answer in German and cite every source you have used",
            "avoids long sentences",
        ),
        *("uses emojis", "einfache Worte und eine Frage am Ende", "用简单的词语"),
    ],
)
def test_a_wish_that_may_ask_for_more_than_words_is_not_told_where_a_format_is_demanded(wish: str) -> None:
    assert weighed([wish], demanded("Describe boats as a JSON object.")).withheld == (wish,)


def test_what_else_is_demanded_beside_a_format_counts_for_wishes_about_words() -> None:
    formal = demanded("Describe boats as a JSON object, in a formal tone.")
    assert weighed(["a friendly tone", PLAIN], formal).told == (PLAIN,)
    french = demanded("Describe boats as a JSON object. Answer in French.")
    assert weighed(["answer in German", PLAIN], french).told == (PLAIN,)


def test_where_a_format_is_demanded_no_line_has_the_layout_of_a_list() -> None:
    lines = weighed([PLAIN, "no jargon"], demanded("Describe boats as a JSON object.")).lines
    assert len({line.name for line in lines}) == 4
    assert all("\n" not in line.line for line in lines)


def test_a_system_prompts_demands_count_too() -> None:
    assert BRIEF not in told(ORIGINAL, "Always answer in detail.")
    assert told(ORIGINAL, "You classify the sentiment of messages.") == ()


def test_a_wish_about_the_language_gives_way_to_a_demanded_one() -> None:
    assert weighed(["answer in German"], demanded("Why do boats float? Answer in French.")).told == ()
    assert weighed(["answer in German"], demanded(ORIGINAL)).told == ("answer in German",)


def test_without_wishes_or_where_none_is_told_nothing_is_added() -> None:
    for wishes in (Wishes(), weighed([BRIEF], demanded("Explain in detail why boats float."))):
        state = Random(1)
        assert (wishes.lines, wishes.order(state, None)) == ((), [])
        assert state.random() == Random(1).random()
        assert wishes.bare(ORIGINAL, "x") == ORIGINAL
        assert wishes.agree(TEMPLATES) == TEMPLATES


def test_every_line_holds_every_wish_and_has_a_name_of_its_own() -> None:
    lines = weighed([BRIEF, PLAIN, ASKS], demanded(ORIGINAL)).lines
    assert all(wish in line.line for line in lines for wish in (BRIEF, PLAIN, ASKS))
    assert {KIND_OF[line.name] for line in lines} == {Kind.WISH}
    assert len({line.line for line in lines}) == len(lines) == 8
    stressed = [line.line for line in lines if line.name == "wishes_stressed"]
    assert stressed[1].startswith("What matters most about the answer: uses plain words. And also: at most two")


def test_each_wording_comes_once_before_any_comes_again() -> None:
    wishes = weighed([BRIEF, PLAIN, ASKS], demanded(ORIGINAL))
    orders = [[line.name for line in wishes.order(Random(seed), None)] for seed in range(20)]
    assert all(set(order[:6]) == set(order) and len(order) == 8 for order in orders)
    assert len({order[0] for order in orders}) > 3


@pytest.mark.parametrize("language", OPEN)
def test_there_are_lines_around_wishes_in_every_language_that_has_lines(language: str) -> None:
    assert len(set(WISH_FRAMES[language])) == len(WISH_FRAMES[language])


@pytest.mark.parametrize(
    ("wish", "question", "said"),
    [
        ("höchstens zwei kurze Sätze in einfachen Worten", "Warum schwimmen Boote auf dem Wasser?", "So soll die Antw"),
        ("höchstens zwei kurze Sätze in einfachen Worten", ORIGINAL, "language of the request"),
        ("uses plain words everybody knows", "Warum schwimmen Boote auf dem Wasser?", "language of the request"),
        ("最多两句话，用简单的词语", "为什么船会浮起来？", "请这样回答：最多两句话，用简单的词语。"),
    ],
)
def test_the_lines_are_in_the_language_of_the_wish(wish: str, question: str, said: str) -> None:
    assert said in weighed([wish], demanded(question)).lines[0].line


def test_other_lines_agree_with_the_wishes() -> None:
    demands = demanded(ORIGINAL)
    brief, thorough = weighed([BRIEF], demands), weighed(["thorough, in detail"], demands)
    assert not any(template.imposes for template in pool(brief.shaping(demands)))
    names = {template.name for template in thorough.agree(pool(thorough.shaping(demands)))}
    assert "ask_full" in names
    assert not {"shorten", "shorten_focused"} & names


ODD = st.text(min_size=1, max_size=200).filter(is_one_line)


@given(wishes=st.lists(ODD, min_size=1, max_size=4, unique=True), original=st.text(min_size=1).filter(str.strip))
def test_no_wish_breaks_the_instruction_or_the_lines(wishes: list[str], original: str) -> None:
    made = weighed(wishes, Demands(frozenset(), "en", on_text=False, unread=False))
    for text, name, bare in list(dressed(original, original, made.order(Random(1), None), TEMPLATES[:3], Random(2)))[
        :30
    ]:
        assert text.startswith(f"{original}\n\n")
        assert "\n\n" not in text.removeprefix(f"{bare}\n\n")
        assert made.bare(text, original) == bare
        assert core_of(bare, original) == original
        assert operator_of(text, original) is None or operator_of(bare, original)
        assert all(each in KIND_OF for each in name.split("+"))


@pytest.mark.parametrize("wish", ["{core}%s {0}", "- a", "> Answer 1:", "a; b.", "<|im_end|>", '"', "]]>", "Ü?"])
def test_odd_wishes_are_told_as_they_are(wish: str) -> None:
    made = weighed([wish], Demands(frozenset(), "en", on_text=False, unread=False))
    assert all(wish in line.line for line in made.lines)


@pytest.mark.parametrize("text", ["a\nb", " a", "a ", "a\u2028b", "a\tb", "a\x00", "a\x85b"])
def test_what_is_no_line_is_no_wish(text: str) -> None:
    assert not is_one_line(text)


def test_a_parent_that_quotes_responses_is_left_for_the_original() -> None:
    quoting = crossover(ORIGINAL, ["Water pushes.", "They are light."], demanded(ORIGINAL))
    assert quoting
    made = weighed([PLAIN], demanded(ORIGINAL))
    for text, _, bare in dressed(quoting, ORIGINAL, made.order(Random(1), None), TEMPLATES, Random(2)):
        assert ">" not in text
        assert bare.startswith(ORIGINAL)


def test_a_wish_of_words_that_may_stand_before_others_is_read_at_once() -> None:
    for wish in ("in " * 66 + "x", "use " * 50, "plain and " * 20, "un una um uma " * 14):
        assert weighed([wish.strip()], demanded("Describe boats as a JSON object.")).told == ()
