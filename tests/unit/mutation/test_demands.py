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

PROMPTS = [json.loads(line) for line in (Path(bench.__file__).parent / "formats.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("prompt", PROMPTS, ids=[prompt["id"] for prompt in PROMPTS])
def test_no_line_contradicts_a_prompt_that_demands_a_form(prompt: dict[str, object]) -> None:
    messages = [Message(**message) for message in prompt["messages"]]  # type: ignore[attr-defined]
    assert all(not template.imposes for template in pool(read(messages)))


# One way to say it for each kind in each language that it is read in.
SAID = {
    "en": {
        Demand.TRANSLATION: "Translate into German: I am hungry.",
        Demand.LABEL: "Is the sky green? Say yes or no.",
        Demand.FIELDS: "Extract the names from this letter: Dear Ann, I met Tom.",
        Demand.EDIT: "Correct the spelling of this sentence: I has a dreem.",
        Demand.SUMMARY: "Summarize the plot of Hamlet.",
        Demand.COMPLETION: "Fill in the blank: the early bird gets the ____.",
        Demand.ONLY: "What is the capital of France? Only the name.",
        Demand.FORMAT: "Describe Bob as a JSON object.",
        Demand.COUNT: "Explain gravity in at most two sentences.",
        Demand.BRIEF: "How do magnets work? Keep the answer short.",
        Demand.TITLE: "Suggest a title for a thriller about a spy.",
        Demand.VERSE: "Write a haiku about the rain.",
        Demand.LIST: "List five animals of the forest.",
        Demand.TONE: "Tell me about Rome in a formal tone.",
        Demand.LANGUAGE: "Tell me about Rome in Italian.",
        Demand.ENUMERATION: "Name three rivers and explain where they begin.",
        Demand.PARAGRAPH: "Write a descriptive paragraph about a market.",
        Demand.DETAIL: "How does a refrigerator work? Explain it in detail.",
    },
    "de": {
        Demand.TRANSLATION: "Übersetze ins Englische: Ich habe Hunger.",
        Demand.LABEL: "Ist der Himmel grün? Sag ja oder nein.",
        Demand.FIELDS: "Extrahiere die Namen aus diesem Brief.",
        Demand.EDIT: "Korrigiere die Fehler in diesem Satz.",
        Demand.SUMMARY: "Fasse die Handlung von Hamlet zusammen.",
        Demand.ONLY: "Wie heißt die Hauptstadt von Peru? Nur der Name.",
        Demand.FORMAT: "Beschreibe die Planeten als Tabelle.",
        Demand.COUNT: "Was ist ein Fluss? In höchstens zwei Sätzen.",
        Demand.BRIEF: "Warum schreiben wir Tests vor dem Umbau? Antworte kurz.",
        Demand.TITLE: "Gib mir eine Überschrift zum Thema Schlaf.",
        Demand.VERSE: "Schreibe ein Gedicht über den Herbst.",
        Demand.LIST: "Nenne drei Städte in Bayern.",
        Demand.LANGUAGE: "Erzähle mir auf Englisch von Rom.",
        Demand.DETAIL: "Wie funktioniert ein Kühlschrank? Erkläre es ausführlich.",
    },
    "fr": {
        Demand.TRANSLATION: "Traduisez en espagnol : le chat dort.",
        Demand.LABEL: "Est-ce que le ciel est vert ? Dis oui ou non.",
        Demand.FIELDS: "Extrais les noms de cette lettre.",
        Demand.EDIT: "Corrige les fautes de cette phrase.",
        Demand.SUMMARY: "Résume l'histoire de Hamlet.",
        Demand.ONLY: "Quelle est la capitale du Pérou ? Seulement le nom.",
        Demand.FORMAT: "Décris les planètes dans un tableau.",
        Demand.COUNT: "Quelle est la capitale du Pérou ? Réponds en un mot.",
        Demand.BRIEF: "Comment marche un aimant ? Sois bref.",
        Demand.TITLE: "Donne-moi un titre sur le sommeil.",
        Demand.VERSE: "Écris un poème sur la pluie.",
        Demand.LIST: "Cite trois villes de France.",
        Demand.DETAIL: "Comment fonctionne un réfrigérateur ? Explique-le en détail.",
    },
    "es": {
        Demand.TRANSLATION: "Traduce al inglés: el gato duerme.",
        Demand.LABEL: "¿Es verde el cielo? Di sí o no.",
        Demand.ONLY: "¿Cuál es la capital de Perú? Solo el nombre.",
        Demand.COUNT: "Explica la inflación en dos frases.",
        Demand.BRIEF: "Responde brevemente: ¿qué es la inflación?",
        Demand.FORMAT: "Describe los planetas en una tabla.",
        Demand.LIST: "Nombra tres ciudades de España.",
        Demand.DETAIL: "¿Cómo funciona una nevera? Explícalo detalladamente, por favor.",
    },
    "it": {
        Demand.TRANSLATION: "Traduci in inglese: il gatto dorme.",
        Demand.ONLY: "Qual è la capitale del Perù? Solo il nome.",
        Demand.COUNT: "Rispondi in una parola: qual è la capitale della Francia?",
        Demand.BRIEF: "Spiega in breve che cosa è la luce.",
        Demand.DETAIL: "Come funziona un frigorifero? Spiegalo in modo dettagliato.",
    },
    "pt": {
        Demand.TRANSLATION: "Traduza para o inglês: o gato dorme.",
        Demand.ONLY: "Qual é a capital do Peru? Apenas o nome.",
        Demand.COUNT: "Responda em uma palavra: qual é a capital do Peru?",
        Demand.BRIEF: "Explique de forma breve o que é a luz.",
        Demand.DETAIL: "Como funciona uma geladeira? Explique isso em detalhes.",
    },
    "nl": {
        Demand.TRANSLATION: "Vertaal naar het Engels: de kat slaapt.",
        Demand.ONLY: "Wat is de hoofdstad van Peru? Alleen de naam.",
        Demand.COUNT: "Antwoord in één woord: wat is de hoofdstad van Peru?",
        Demand.BRIEF: "Leg kort uit wat licht is.",
        Demand.DETAIL: "Hoe werkt een koelkast? Leg het uitgebreid uit.",
    },
    "zh": {
        Demand.TRANSLATION: "把下面的句子翻译成英文：我喜欢喝茶。",
        Demand.LABEL: "判断这条评论的情感：菜很好吃。",
        Demand.ONLY: "秘鲁的首都是哪里？只回答城市名。",
        Demand.BRIEF: "请用一句话解释什么是通货膨胀。",
        Demand.LIST: "列出三种水果，不要别的。",
        Demand.FORMAT: "请用表格描述行星。",
        Demand.DETAIL: "冰箱是怎样工作的？请详细说明。",
    },
    "ja": {
        Demand.TRANSLATION: "次の文を英語に翻訳してください：猫が寝ています。",
        Demand.LABEL: "はいかいいえで答えてください。地球は丸いですか？",
        Demand.ONLY: "都市の名前だけを答えてください。",
        Demand.COUNT: "ペルーの首都はどこですか？一言で答えてください。",
        Demand.BRIEF: "光合成とは何ですか？簡潔に。",
        Demand.DETAIL: "冷蔵庫はどのように動くのですか。詳しく説明してください。",
    },
    "pl": {
        Demand.TRANSLATION: "Przetłumacz na angielski: kot śpi.",
        Demand.LABEL: "Czy niebo jest zielone? Odpowiedz: tak lub nie.",
        Demand.FIELDS: "Wypisz wszystkie imiona z tego listu.",
        Demand.EDIT: "Popraw błędy w tym zdaniu.",
        Demand.SUMMARY: "Streść fabułę Hamleta.",
        Demand.ONLY: "Jaka jest stolica Peru? Podaj tylko nazwę.",
        Demand.FORMAT: "Opisz wszystkie planety Układu Słonecznego w tabeli.",
        Demand.COUNT: "Wyjaśnij inflację w dwóch zdaniach.",
        Demand.BRIEF: "Wyjaśnij krótko, czym jest światło.",
        Demand.TITLE: "Zaproponuj tytuł artykułu o śnie.",
        Demand.VERSE: "Napisz wiersz o jesieni.",
        Demand.LIST: "Wymień trzy miasta w Polsce.",
        Demand.LANGUAGE: "Opowiedz mi o Rzymie po angielsku.",
        Demand.DETAIL: "Jak działa lodówka? Wyjaśnij to szczegółowo.",
    },
    "ru": {
        Demand.TRANSLATION: "Переведи на английский: кошка спит.",
        Demand.LABEL: "Небо зелёное? Ответь: да или нет.",
        Demand.FIELDS: "Извлеки имена из этого письма.",
        Demand.EDIT: "Исправь ошибки в этом предложении.",
        Demand.SUMMARY: "Изложи краткое содержание «Гамлета».",
        Demand.ONLY: "Какая столица у Перу? Только название.",
        Demand.FORMAT: "Опиши планеты в виде таблицы.",
        Demand.COUNT: "Объясни инфляцию в двух предложениях.",
        Demand.BRIEF: "Объясни коротко, что такое свет.",
        Demand.TITLE: "Придумай заголовок для статьи о сне.",
        Demand.VERSE: "Напиши стихотворение об осени.",
        Demand.LIST: "Назови три города в России.",
        Demand.LANGUAGE: "Расскажи мне о Риме на английском языке.",
        Demand.DETAIL: "Как работает холодильник? Объясни это подробно.",
    },
    "tr": {
        Demand.TRANSLATION: "İngilizceye çevir: kedi uyuyor.",
        Demand.LABEL: "Gökyüzü yeşil mi? Evet veya hayır diye yanıtla.",
        Demand.EDIT: "Bu cümledeki yazım hatalarını düzelt.",
        Demand.SUMMARY: "Hamlet'in konusunu özetle.",
        Demand.ONLY: "Peru'nun başkenti neresidir? Sadece adını yaz.",
        Demand.FORMAT: "Gezegenleri tablo halinde anlat.",
        Demand.COUNT: "Enflasyonu iki cümleyle açıkla.",
        Demand.BRIEF: "Işığın ne olduğunu kısaca açıkla.",
        Demand.TITLE: "Uyku üzerine bir yazı için başlık öner.",
        Demand.VERSE: "Sonbahar hakkında bir şiir yaz.",
        Demand.LIST: "Türkiye'den üç şehir listele.",
        Demand.LANGUAGE: "Bana Roma'yı İngilizce anlat.",
        Demand.DETAIL: "Buzdolabı nasıl çalışır? Bunu ayrıntılı olarak açıkla.",
    },
    "ko": {
        Demand.TRANSLATION: "다음 문장을 영어로 번역해 주세요: 고양이가 자고 있습니다.",
        Demand.LABEL: "하늘은 초록색인가요? 예 또는 아니요로 답하세요.",
        Demand.FIELDS: "이 편지에서 이름을 모두 추출해 주세요.",
        Demand.EDIT: "이 문장의 맞춤법을 고쳐 주세요.",
        Demand.SUMMARY: "햄릿의 줄거리를 요약해 주세요.",
        Demand.ONLY: "페루의 수도는 어디인가요? 이름만 답하세요.",
        Demand.FORMAT: "행성을 표로 설명해 주세요.",
        Demand.COUNT: "인플레이션을 두 문장으로 설명해 주세요.",
        Demand.BRIEF: "빛이 무엇인지 간단히 설명해 주세요.",
        Demand.TITLE: "수면에 관한 글의 제목을 지어 주세요.",
        Demand.LIST: "한국의 도시 세 곳을 말해 주세요.",
        Demand.LANGUAGE: "로마에 대해 영어로 이야기해 주세요.",
        Demand.DETAIL: "냉장고는 어떻게 작동하나요? 자세히 설명해 주세요.",
    },
}


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
