import subprocess
import sys

import pytest

from shared.text.folding import folded, length_in_words
from shared.text.languages import ends_of, language_of, may_be_english


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How do I learn to swim?", "en"),
        ("x+y = 4z, x*y = 4z^2, express x-y in z", "en"),
        ("Wie lerne ich schwimmen?", "de"),
        ("Was ist Fotosynthese? In maximal zwei Sätzen.", "de"),
        ("Comment apprendre à nager ?", "fr"),
        ("Qu’est-ce que la lumière et comment se propage-t-elle ?", "fr"),
        ("¿Cómo aprendo a nadar?", "es"),
        ("Qual è la capitale della Francia e che cosa la rende famosa?", "it"),
        ("Qual é a capital do Brasil e por que não é o Rio?", "pt"),
        ("Wat is de hoofdstad van Peru?", "nl"),
        ("天空为什么是蓝色的？", "zh"),
        ("空はなぜ青いのですか？", "ja"),
        ("Say what 我喜欢喝茶 means, and how one would use it in a letter to a friend.", "en"),
        ("Mitä kuuluu?", "fi"),
        ("Jak ugotować jajko na twardo?", "pl"),
        ("Hur lär jag mig att simma?", "sv"),
        ("Как научиться плавать?", "ru"),
        ("수영을 어떻게 배우나요?", "ko"),
        ("Bagaimana cara belajar berenang?", "id"),
        ("用50个字解释黑洞。", "zh"),
        ("Ok then.", None),
        ("Zxq!", None),
        ("12 * 12", None),
        ("", None),
    ],
)
def test_the_language_of_a_text(text: str, language: str | None) -> None:
    assert language_of(text) == language


def test_a_text_may_be_english_where_its_letters_are_latin() -> None:
    assert may_be_english("Zxq!")
    assert may_be_english("12 * 12")
    assert not may_be_english("Привет, x")


def test_the_model_comes_with_its_wheel_and_nothing_is_downloaded() -> None:
    """`auto` would look for a larger model elsewhere, and here would find none; a download is refused as this runs."""
    code = (
        "import socket; socket.create_connection = socket.getaddrinfo = None\n"
        "from shared.text.languages import language_of\n"
        "print(language_of('Wie lerne ich schwimmen?'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["de"], done.stderr


def test_code_does_not_count() -> None:
    assert language_of("Warum ist das so langsam?\n```\nfor each in the list do print the value\n```") == "de"


def test_folding_takes_accents_from_latin_letters_only() -> None:
    assert folded("Höchstens zwölf Wörter, ÉTÉ’s") == "hochstens zwolf worter, ete's"
    assert folded("が 翻訳") == "が 翻訳"


def test_words_are_counted_where_no_spaces_part_them() -> None:
    assert length_in_words("How do I learn to swim?") == 6
    assert length_in_words("我怎样才能学会游泳？") == 4.5


def test_of_a_long_text_the_ends_are_read() -> None:
    assert ends_of("abc", 2) == "abc"
    assert ends_of("abcdef", 2) == "ab\nef"
