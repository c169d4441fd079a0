"""What conversations demand, and that no line behind them contradicts it."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bench
from services.mutation.demands import Aspect, Kind, keeps, read
from services.mutation.demands.kinds import FORBIDS
from services.mutation.demands.reading import LANGUAGES
from services.mutation.templates import EVERY, TEMPLATES, pool
from shared.records.evolution import Message

PROMPTS = [json.loads(line) for line in (Path(bench.__file__).parent / "formats.jsonl").read_text().splitlines()]


def user(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


def system(demand: str, text: str) -> tuple[Message, ...]:
    return (Message("system", demand), Message("user", text))


@pytest.mark.parametrize("prompt", PROMPTS, ids=[prompt["id"] for prompt in PROMPTS])
def test_no_line_contradicts_a_prompt_that_demands_a_form(prompt: dict[str, object]) -> None:
    messages = [Message(**message) for message in prompt["messages"]]  # type: ignore[attr-defined]
    assert all(not template.imposes for template in pool(read(messages)))


# One way to say it for each kind in each language that it is read in.
SAID = {
    "en": {
        Kind.TRANSLATION: "Translate into German: I am hungry.",
        Kind.LABEL: "Is the sky green? Say yes or no.",
        Kind.FIELDS: "Extract the names from this letter: Dear Ann, I met Tom.",
        Kind.EDIT: "Correct the spelling of this sentence: I has a dreem.",
        Kind.SUMMARY: "Summarize the plot of Hamlet.",
        Kind.COMPLETION: "Fill in the blank: the early bird gets the ____.",
        Kind.ONLY: "What is the capital of France? Only the name.",
        Kind.FORMAT: "Describe Bob as a JSON object.",
        Kind.COUNT: "Explain gravity in at most two sentences.",
        Kind.BRIEF: "How do magnets work? Keep the answer short.",
        Kind.TITLE: "Suggest a title for a thriller about a spy.",
        Kind.VERSE: "Write a haiku about the rain.",
        Kind.LIST: "List five animals of the forest.",
        Kind.TONE: "Tell me about Rome in a formal tone.",
        Kind.LANGUAGE: "Tell me about Rome in Italian.",
        Kind.ENUMERATION: "Name three rivers and explain where they begin.",
        Kind.PARAGRAPH: "Write a descriptive paragraph about a market.",
    },
    "de": {
        Kind.TRANSLATION: "Übersetze ins Englische: Ich habe Hunger.",
        Kind.LABEL: "Ist der Himmel grün? Sag ja oder nein.",
        Kind.FIELDS: "Extrahiere die Namen aus diesem Brief.",
        Kind.EDIT: "Korrigiere die Fehler in diesem Satz.",
        Kind.SUMMARY: "Fasse die Handlung von Hamlet zusammen.",
        Kind.ONLY: "Wie heißt die Hauptstadt von Peru? Nur der Name.",
        Kind.FORMAT: "Beschreibe die Planeten als Tabelle.",
        Kind.COUNT: "Was ist ein Fluss? In höchstens zwei Sätzen.",
        Kind.BRIEF: "Warum schreiben wir Tests vor dem Umbau? Antworte kurz.",
        Kind.TITLE: "Gib mir eine Überschrift zum Thema Schlaf.",
        Kind.VERSE: "Schreibe ein Gedicht über den Herbst.",
        Kind.LIST: "Nenne drei Städte in Bayern.",
        Kind.LANGUAGE: "Erzähle mir auf Englisch von Rom.",
    },
    "fr": {
        Kind.TRANSLATION: "Traduisez en espagnol : le chat dort.",
        Kind.LABEL: "Est-ce que le ciel est vert ? Dis oui ou non.",
        Kind.FIELDS: "Extrais les noms de cette lettre.",
        Kind.EDIT: "Corrige les fautes de cette phrase.",
        Kind.SUMMARY: "Résume l'histoire de Hamlet.",
        Kind.ONLY: "Quelle est la capitale du Pérou ? Seulement le nom.",
        Kind.FORMAT: "Décris les planètes dans un tableau.",
        Kind.COUNT: "Quelle est la capitale du Pérou ? Réponds en un mot.",
        Kind.BRIEF: "Comment marche un aimant ? Sois bref.",
        Kind.TITLE: "Donne-moi un titre sur le sommeil.",
        Kind.VERSE: "Écris un poème sur la pluie.",
        Kind.LIST: "Cite trois villes de France.",
    },
    "es": {
        Kind.TRANSLATION: "Traduce al inglés: el gato duerme.",
        Kind.LABEL: "¿Es verde el cielo? Di sí o no.",
        Kind.ONLY: "¿Cuál es la capital de Perú? Solo el nombre.",
        Kind.COUNT: "Explica la inflación en dos frases.",
        Kind.BRIEF: "Responde brevemente: ¿qué es la inflación?",
        Kind.FORMAT: "Describe los planetas en una tabla.",
        Kind.LIST: "Nombra tres ciudades de España.",
    },
    "it": {
        Kind.TRANSLATION: "Traduci in inglese: il gatto dorme.",
        Kind.ONLY: "Qual è la capitale del Perù? Solo il nome.",
        Kind.COUNT: "Rispondi in una parola: qual è la capitale della Francia?",
        Kind.BRIEF: "Spiega in breve che cosa è la luce.",
    },
    "pt": {
        Kind.TRANSLATION: "Traduza para o inglês: o gato dorme.",
        Kind.ONLY: "Qual é a capital do Peru? Apenas o nome.",
        Kind.COUNT: "Responda em uma palavra: qual é a capital do Peru?",
        Kind.BRIEF: "Explique de forma breve o que é a luz.",
    },
    "nl": {
        Kind.TRANSLATION: "Vertaal naar het Engels: de kat slaapt.",
        Kind.ONLY: "Wat is de hoofdstad van Peru? Alleen de naam.",
        Kind.COUNT: "Antwoord in één woord: wat is de hoofdstad van Peru?",
        Kind.BRIEF: "Leg kort uit wat licht is.",
    },
    "zh": {
        Kind.TRANSLATION: "把下面的句子翻译成英文：我喜欢喝茶。",
        Kind.LABEL: "判断这条评论的情感：菜很好吃。",
        Kind.ONLY: "秘鲁的首都是哪里？只回答城市名。",
        Kind.BRIEF: "请用一句话解释什么是通货膨胀。",
        Kind.LIST: "列出三种水果，不要别的。",
        Kind.FORMAT: "请用表格描述行星。",
    },
    "ja": {
        Kind.TRANSLATION: "次の文を英語に翻訳してください：猫が寝ています。",
        Kind.LABEL: "はいかいいえで答えてください。地球は丸いですか？",
        Kind.ONLY: "都市の名前だけを答えてください。",
        Kind.COUNT: "ペルーの首都はどこですか？一言で答えてください。",
        Kind.BRIEF: "光合成とは何ですか？簡潔に。",
    },
}
CASES = [(language, kind, text) for language, kinds in SAID.items() for kind, text in kinds.items()]


@pytest.mark.parametrize(("language", "kind", "text"), CASES)
def test_every_kind_is_found(language: str, kind: Kind, text: str) -> None:
    found = read(user(text))
    # Of languages that share their small words, a short text may not tell which; then it is read in all of them.
    assert found.language in (language, None)
    assert kind in found.kinds
    assert all(not template.imposes & FORBIDS[kind] for template in pool(found))


def test_every_kind_and_every_language_has_a_case() -> None:
    assert set(SAID) == set(LANGUAGES)
    assert set(SAID["en"]) | {Kind.TASK, Kind.EXAMPLES} == set(Kind)


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
    assert pool(read(messages)) == TEMPLATES


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


@pytest.mark.parametrize(
    "demand",
    [
        "You decide which tool to call: search, calculator, none.",
        "Given a product review, return its star rating (1-5).",
        "Eres un traductor del español al inglés.",
        "あなたは翻訳者です。英語に訳してください。",
        "Classify each message as question, complaint or praise.",
        "You are a router. Departments: billing, support, sales.",
        "Extract all dates from what the user sends.",
        "You are an interpreter between English and Thai; you translate every message.",
        'Answer in JSON: {"answer": "..."}',
        "Always answer in one sentence.",
        "You are a terse assistant. Be concise.",
        "Reply with a number only.",
        "Antworte immer auf Deutsch.",
        "Du klassifizierst Nachrichten als dringend oder normal.",
        "你是一个翻译助手。请把用户的话翻译成英文。",
        "Jesteś pomocnikiem, który zawsze odpowiada jednym zdaniem.",
    ],
)
def test_a_system_prompts_demand_holds(demand: str) -> None:
    assert all(not template.imposes for template in pool(read(system(demand, "How do I learn to swim?"))))


def test_nothing_is_put_behind_a_text_to_work_on() -> None:
    for messages in (
        system("You translate into German.", "How do I learn to swim?"),
        user("Translate into French: How do I learn to swim?"),
        user("Give this a title, nothing else.\n\nThe storm took the roof off the school."),
        user("Q: What is 2+2?\nA: 4\nQ: What is 3+3?\nA:"),
    ):
        assert pool(read(messages)) == ()


def talk(*turns: str) -> tuple[Message, ...]:
    return tuple(Message("assistant" if index % 2 else "user", turn) for index, turn in enumerate(turns))


def test_what_earlier_turns_demand_holds_where_they_say_so_or_the_talk_goes_on() -> None:
    question = "How do I learn to swim in open water?"
    long = "A river is a large stream of water that flows towards the sea, a lake or another river."
    assert pool(read(talk("From now on answer in one sentence. What is a river?", long, question))) != TEMPLATES
    assert pool(read(talk("What is a river? Answer in one sentence.", long, "And what is a lake, then?"))) != TEMPLATES
    assert pool(read(talk("Classify: good food", "positive", "Bad food", "negative", "Cold rooms and noise"))) == ()
    assert pool(read(talk("What is a river? Answer in one sentence.", long, question))) == TEMPLATES
    chain = ("What is a river? Answer in one sentence.", long, "And what is a lake, then?", long, "And a sea?")
    assert Kind.COUNT in read(talk(*chain)).kinds
    answer = "因为空气散射蓝光比散射红光多，所以我们从各个方向看到的都是蓝光，太阳落山的时候天空才会变红。"
    assert (
        len(pool(read(talk("天空为什么是蓝色的？", answer, "海水为什么是咸的呢？", answer, "我怎样才能学会游泳呢？"))))
        == 8
    )


def test_lines_are_in_the_language_of_the_request_or_there_are_none() -> None:
    named = {language: {t.line for t in EVERY if t.line in _lines(language)} for language in ("de", "fr", "es", "zh")}
    for language, text in (
        ("de", "Wie lerne ich schwimmen?"),
        ("fr", "Pourquoi le ciel est-il bleu ?"),
        ("es", "¿Cómo aprendo a nadar?"),
        ("zh", "我怎样才能学会游泳？"),
    ):
        lines = {template.line for template in pool(read(user(text)))}
        assert len(lines) >= 6
        assert lines <= named[language]
    for text in (
        "Mitä kuuluu?",
        "Jak ugotować jajko?",
        "Как научиться плавать?",
        "수영을 어떻게 배우나요?",
        "Come imparo a nuotare?",
        "泳ぎ方を教えてください",
        "Hoe leer ik zwemmen?",
        "Bagaimana cara belajar berenang?",
        "Tell me about Rome in Italian.",
        "Zxq!",
    ):
        assert pool(read(user(text))) == ()


def _lines(language: str) -> set[str]:
    from services.mutation.lines import NEUTRAL, OPEN

    return {line for _, line, _ in OPEN[language]} | {line for _, line in NEUTRAL[language]}


def test_a_brief_part_is_no_brief_answer() -> None:
    assert read(user("Suggest five films with brief descriptions for students.")).kinds == {Kind.ENUMERATION}


def test_partial_demands_leave_what_they_do_not_touch() -> None:
    listed = pool(read(user("How have the Alps shaped farming in Europe? List three impacts.")))
    assert listed == tuple(template for template in TEMPLATES if Aspect.PROSE not in template.imposes)
    toned = pool(read(user("Tell me about Rome in a formal tone.")))
    assert listed
    assert set(TEMPLATES) - set(toned) == {template for template in TEMPLATES if Aspect.TONE in template.imposes}


@pytest.mark.parametrize(
    ("rewrite", "kept"),
    [
        ("In one sentence, say what a river is.", True),
        ("What is a river? Answer in a single sentence, please.", True),
        ("What is a river?", False),
        ("What is a river? Answer in one sentence and explain it in detail.", False),
        ("Was ist ein Fluss? Antworte in einem Satz.", False),
    ],
)
def test_a_rewrite_keeps_the_demands(rewrite: str, kept: bool) -> None:
    original = "What is a river? Answer in one sentence."
    assert keeps(rewrite, original, read(user(original))) is kept


def test_a_rewrite_must_not_add_what_the_system_prompt_forbids() -> None:
    original, rewrite = "What is a river?", "Explain in detail what a river is."
    assert keeps(rewrite, original, read(user(original)))
    assert not keeps(rewrite, original, read(system("Be brief.", original)))


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(min_size=1, max_size=300).filter(str.strip),
    case=st.sampled_from([case for case in SAID["en"].items() if case[0] is not Kind.LANGUAGE]),
)
def test_a_demand_is_seen_whatever_stands_before_it(text: str, case: tuple[Kind, str]) -> None:
    kind, demand = case
    assert kind in read(user(f"{text}\n\n{demand}")).kinds
    assert all(not template.imposes & FORBIDS[kind] for template in pool(read(user(f"{text}\n\n{demand}"))))


@pytest.mark.parametrize("piece", ["only ", "in one ", "list a b ", "{", "\n", "a:", "___", "translate ", "字", "in "])
def test_reading_takes_no_longer_for_a_longer_text(piece: str) -> None:
    """Only the ends of a text are read, so that nothing grows faster than the text."""

    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        return min(_timed(text) for _ in range(2))

    assert seconds(390_000) < 20 * seconds(13_000) + 1


def _timed(text: str) -> float:
    began = time.perf_counter()
    read(user(text + "x"))
    return time.perf_counter() - began
