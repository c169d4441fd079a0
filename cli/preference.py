"""A preference in plain words as a reward profile: rules check what can be checked, a language model judges the rest.

"at most two sentences, plain words, ends with a question" is three wishes. Those in English that are recognised become
checks of `rules`; every other wish becomes a criterion of a `rubric`, as it is written. The profile
tells all of them to the language model as well, as its `wishes`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import yaml

from cli.console import CommandError
from services.reward.profiles import SHIPPED, parse_profile
from shared.records.limits import MAX_WISH_CHARACTERS, MAX_WISHES

MOST_WISHES, MOST_CHARACTERS = MAX_WISHES, MAX_WISH_CHARACTERS
_EACH = 1.5
"""What a wish that is fulfilled adds to the reward: several times by how much the quality of answers to a question
differs."""
_PLAIN_GRADE = 8

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBERS = {word: number for number, word in enumerate(_WORDS)} | {"a": 1, "an": 1, "a single": 1}
_NUMBER = rf"(\d{{1,5}}|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})"
_UNIT = r"(character|word|sentence|token)s?"
_QUOTES = "\"'“”‘’«»"

Check = dict[str, Any]


@dataclass(frozen=True)
class Preferred:
    """A profile as YAML, and by which names what is said of each wish stands among its reward's parts."""

    content: str
    wishes: dict[str, str]


def preferred(preference: str) -> Preferred:
    """The shipped default with the wishes of the preference, which commas, semicolons and lines separate.

    Raises:
        CommandError: there is no wish, or there are too many, or one is too long.
        InvalidRequest: one asks for what cannot be, such as no words at all.
    """
    wishes = list(dict.fromkeys(wish for part in re.split(r"[,;\n]", preference) if (wish := _bare(part))))
    if not 0 < len(wishes) <= MOST_WISHES or max(map(len, wishes)) > MOST_CHARACTERS:
        most = f"1 to {MOST_WISHES} wishes of at most {MOST_CHARACTERS} characters"
        raise CommandError(f"a preference is of {most}, which commas separate")
    checks: list[dict[str, Any]] = []
    criteria: list[dict[str, Any]] = []
    named: dict[str, str] = {}
    for wish, name in zip(wishes, _names(wishes), strict=True):
        if check := _check(wish):
            checks.append({"name": name} | check)
        else:
            criteria.append({"name": name, "text": wish[0].upper() + wish[1:]})
        named[f"{'rules' if check else 'rubric'}.{name}"] = wish
    components: list[dict[str, Any]] = yaml.safe_load((SHIPPED / "default.yaml").read_text("utf-8"))["components"]
    if checks:
        components.append({"name": "rules", "type": "rules", "weight": _EACH * len(checks), "checks": checks})
    if criteria:
        components.append({"name": "rubric", "type": "rubric", "weight": _EACH * len(criteria), "criteria": criteria})
    written = {"description": "; ".join(wishes), "wishes": wishes, "components": components}
    content = yaml.safe_dump(written, sort_keys=False, allow_unicode=True, width=110)
    parse_profile(content, "what you prefer")
    return Preferred(content, named)


def _bare(part: str) -> str:
    return re.sub(r"^(?:and|but)\s+", "", " ".join(part.split()).strip(" ."), flags=re.IGNORECASE)


def _names(wishes: list[str]) -> list[str]:
    """A name for each, of its first words; numbered, where several begin alike."""
    said = [
        "-".join(re.findall(r"[a-z0-9]+", wish.lower())[:6])[:40].lstrip("0123456789-") or "wish" for wish in wishes
    ]
    return [name if said.count(name) == 1 else f"{name}-{number}" for number, name in enumerate(said, 1)]


def _check(wish: str) -> Check | None:
    for pattern, made in _KNOWN:
        if found := pattern.fullmatch(wish):
            return made(found)
    return None


def _known(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _number(said: str) -> int:
    return int(said) if said.isdecimal() else _NUMBERS[said.lower()]


def _length(found: re.Match[str], *bounds: str) -> Check:
    number = _number(found[1])
    return {"type": "length", "unit": f"{found[2].lower()}s"} | dict.fromkeys(bounds, number)


def _between(found: re.Match[str]) -> Check:
    least, most = sorted((_number(found[1]), _number(found[2])))
    return {"type": "length", "unit": f"{found[3].lower()}s", "min": least, "max": most}


def _terms(said: str) -> list[str]:
    return [term for each in re.split(r"\s+(?:or|and)\s+", said) if (term := each.strip(_QUOTES + " "))]


def _mentions(found: re.Match[str]) -> Check:
    return {"type": "match", "pattern": rf"(?i)\b{re.escape(found[1].strip(_QUOTES + ' '))}\b"}


_KNOWN: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Check]], ...]] = (
    (
        _known(rf"(?:in )?(?:at most|no more than|up to|a maximum of|max\.?|not more than) {_NUMBER} {_UNIT}"),
        lambda found: _length(found, "max"),
    ),
    (
        _known(rf"(?:in )?(?:at least|no less than|no fewer than|a minimum of|min\.?) {_NUMBER} {_UNIT}"),
        lambda found: _length(found, "min"),
    ),
    (_known(rf"(?:in )?(?:exactly )?{_NUMBER} {_UNIT}"), lambda found: _length(found, "min", "max")),
    (_known(rf"(?:in )?(?:between )?{_NUMBER} (?:to|and|-) {_NUMBER} {_UNIT}"), _between),
    (
        _known(r"(?:in |use |uses )?(?:plain|simple|easy|everyday) (?:words|language|english)|easy to read"),
        lambda _: {"type": "reading", "max": _PLAIN_GRADE},
    ),
    (
        _known(r"(?:it )?(?:ends?|ending|closes?) (?:with|in|on) a question(?: mark)?"),
        # After something else: a bare question, as the user's own again, ends nothing.
        lambda _: {"type": "match", "pattern": r"""(?s)[.!。！]\s?.*[?？؟]["'”’)*\]]*\s*$"""},
    ),
    (
        _known(
            r"(?:(?:it )?(?:never|does not|do not|doesn't|don't) (?:mentions?|says?|names?|uses?)(?: the words?)?"
            r"|no mention of|without the words?) (.+)"
        ),
        lambda found: {"type": "banned", "terms": _terms(found[1])},
    ),
    (_known(rf"(?:always )?(?:mentions?|says?|contains?|names?) ([{_QUOTES}].+[{_QUOTES}])"), _mentions),
    (
        _known(r"(?:with |has |cites? |includes? |gives? )?(?:at least )?(?:a|one) (?:link|url|web address)"),
        lambda _: {"type": "citations", "form": "link", "min": 1},
    ),
    (
        _known(r"(?:no|without|never uses?) (?:bullet points|bullets|lists?|numbered lists?)"),
        lambda _: {"type": "match", "pattern": r"(?m)^\s*(?:[-*•]|\d+[.)])\s", "absent": True},
    ),
    (_known(r"(?:as |valid |only )?json(?: only)?"), lambda _: {"type": "json"}),
)
