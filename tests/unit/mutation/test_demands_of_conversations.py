"""What system prompts, earlier turns and the language of a conversation demand of the lines behind it."""

import time

import pytest

from services.mutation.demands import Demand, read
from services.mutation.demands.reading import LANGUAGES
from services.mutation.lines import OPEN
from services.mutation.neutral_lines import NEUTRAL
from services.mutation.templates import TEMPLATES, pool
from shared.text.languages import language_of
from tests.unit.mutation.conversations import system, talk, user


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
        "Olet avulias avustaja, joka vastaa aina yhdellä lauseella.",
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


def test_what_earlier_turns_demand_holds_where_they_say_so_or_the_talk_goes_on() -> None:
    question = "How do I learn to swim in open water?"
    long = "A river is a large stream of water that flows towards the sea, a lake or another river."
    assert pool(read(talk("From now on answer in one sentence. What is a river?", long, question))) != TEMPLATES
    assert pool(read(talk("What is a river? Answer in one sentence.", long, "And what is a lake, then?"))) != TEMPLATES
    assert pool(read(talk("Classify: good food", "positive", "Bad food", "negative", "Cold rooms and noise"))) == ()
    assert pool(read(talk("What is a river? Answer in one sentence.", long, question))) == TEMPLATES
    chain = ("What is a river? Answer in one sentence.", long, "And what is a lake, then?", long, "And a sea?")
    assert Demand.COUNT in read(talk(*chain)).kinds
    answer = "因为空气散射蓝光比散射红光多，所以我们从各个方向看到的都是蓝光，太阳落山的时候天空才会变红。"
    chinese = talk("天空为什么是蓝色的？", answer, "海水为什么是咸的呢？", answer, "我怎样才能学会游泳呢？")
    assert len(pool(read(chinese))) == len(OPEN["zh"])


@pytest.mark.parametrize(
    "text",
    [
        "Jak działa lodówka?",
        "Wyjaśnij różnicę między wirusem a bakterią.",
        "Как работает холодильник?",
        "Объясни разницу между вирусом и бактерией.",
        "Buzdolabı nasıl çalışır?",
        "Bir virüs ile bir bakteri arasındaki farkı açıkla.",
        "냉장고는 어떻게 작동하나요?",
        "바이러스와 박테리아의 차이를 설명해 주세요.",
        "冷蔵庫はどのように動くのですか。",
        "Hoe werkt een koelkast?",
        "Come funziona un frigorifero?",
        "Como funciona uma geladeira?",
    ],
)
def test_open_questions_of_other_languages_demand_nothing(text: str) -> None:
    assert read(user(text)).kinds == frozenset()


def test_lines_are_in_the_language_of_the_request_or_there_are_none() -> None:
    for language, text in (
        ("en", "How do I learn to swim?"),
        ("en", "Zxq!"),
        ("de", "Wie lerne ich schwimmen?"),
        ("fr", "Pourquoi le ciel est-il bleu ?"),
        ("es", "¿Cómo aprendo a nadar?"),
        ("zh", "我怎样才能学会游泳？"),
        ("it", "Come imparo a nuotare?"),
        ("pt", "Como aprendo a nadar?"),
        ("nl", "Hoe leer ik zwemmen?"),
        ("pl", "Jak nauczyć się pływać?"),
        ("ru", "Как научиться плавать?"),
        ("tr", "Yüzmeyi nasıl öğrenirim?"),
        ("ja", "どうすれば泳げるようになりますか。"),
        ("ko", "수영을 어떻게 배우나요?"),
    ):
        lines = [template.line for template in pool(read(user(text)))]
        assert len(lines) >= 6
        assert lines == [line for _, line, _ in OPEN[language]]
    for text in (
        "Mitä kuuluu?",
        "Bagaimana cara belajar berenang?",
        "كيف أتعلم السباحة؟",
        "मैं तैरना कैसे सीखूँ?",
        "Ъ",
        "Tell me about Rome in Italian.",
        "Opowiedz mi o Rzymie po angielsku.",
        "Расскажи мне о Риме на английском языке.",
        "Bana Roma'yı İngilizce anlat.",
        "로마에 대해 영어로 이야기해 주세요.",
    ):
        assert pool(read(user(text))) == ()


def test_every_language_has_the_lines_of_the_same_names_and_says_them_in_itself() -> None:
    """Those of English that are missing elsewhere are variants of what is there."""
    assert set(OPEN) == set(NEUTRAL) == set(LANGUAGES)
    assert len(OPEN) >= 10
    english = {name: aspects for name, _, aspects in OPEN["en"]}
    for language, lines in OPEN.items():
        assert {name: aspects for name, _, aspects in lines}.items() <= english.items()
        assert [name for name, _ in NEUTRAL[language]] == [name for name, _ in NEUTRAL["en"]]
        said = " ".join([line for _, line, _ in lines] + [line for _, line in NEUTRAL[language]])
        assert language_of(said) == language


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
