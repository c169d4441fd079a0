"""What a stakeholder wishes of answers, told behind instructions: which wishes, and in which words. Pure.

A profile's wishes are anybody's fragments in plain words. What the conversation demands comes before them: a wish that
would give the answer another length, form, tone or language than is demanded is not told; where a format is demanded,
only those about the answer's words are; and where nothing may be put behind an instruction, none is. Whoever steers by
a reward still selects by it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from services.mutation.demands import Aspect, Demand, Demands, contradict, imposed, kinds_of, languages_named
from services.mutation.demands.kinds import ON_A_TEXT
from services.mutation.manner import is_of_words
from services.mutation.recombination import operator_of
from services.mutation.recombination_lines import IN_ITS_LANGUAGE
from services.mutation.templates import Template, drawn, wrappings
from services.mutation.wish_lines import WISH_FRAMES
from shared.records.credit import Credit
from shared.text.languages import language_of

# Where the answer is a label, a title or nothing but what was asked for, whatever else is asked of it breaks that.
_RIGID = ON_A_TEXT | {Demand.LABEL, Demand.ONLY, Demand.TITLE}
# These have the layout of a list, which an answer in another format might take over.
_LISTS = frozenset({"wishes_listed", "wishes_check"})
_ASPECTS: dict[Demand, frozenset[Aspect]] = {
    Demand.COUNT: frozenset({Aspect.BREVITY, Aspect.LENGTH}),
    Demand.BRIEF: frozenset({Aspect.BREVITY}),
    Demand.SUMMARY: frozenset({Aspect.BREVITY}),
    Demand.DETAIL: frozenset({Aspect.LENGTH}),
    Demand.PARAGRAPH: frozenset({Aspect.PROSE}),
    Demand.FORMAT: frozenset({Aspect.ORDER}),
    Demand.LIST: frozenset({Aspect.ORDER}),
    Demand.ENUMERATION: frozenset({Aspect.ORDER}),
    Demand.TONE: frozenset({Aspect.TONE}),
    Demand.LANGUAGE: frozenset(),
    Demand.ONLY: frozenset({Aspect.FOCUS}),
}
_STOPS = ".!?。！？…"
_DENSE = ("zh", "ja")


@dataclass(frozen=True)
class Wishes:
    """The wishes that are told, those that are not since they contradict a demand, and the lines that tell them.

    No line where no wish is told: then mutants are as they are without wishes.
    """

    told: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    lines: tuple[Template, ...] = ()

    def bare(self, text: str, original: str) -> str:
        """The text without the lines that an earlier mutation put behind it; the original stays as it is."""
        if text == original:
            return text
        return next((core for line in self.lines if (core := line.unwrap(text)) is not None), text)

    def order(self, rng: Random, credit: Credit | None) -> list[Template]:
        """The lines as `rng` draws them, and by what they have earned: each wording once before any comes again, as the
        one that stresses a wish does for each."""
        if not self.lines:
            return []
        first = {line.name: line for line in reversed(self.lines)}
        names = [line.name for line in drawn(tuple(first.values()), rng, credit)]
        again = [line for line in self.lines if first[line.name] is not line]
        return [first[name] for name in names] + rng.sample(again, len(again))

    def shaping(self, demands: Demands) -> Demands:
        """The demands with those of the told wishes: no other line may contradict either."""
        return replace(demands, kinds=demands.kinds.union(*(kinds_of(wish) for wish in self.told)))

    def agree(self, pool: Sequence[Template]) -> tuple[Template, ...]:
        """The templates that ask for nothing contrary to a wish."""
        aspects = frozenset[Aspect]().union(*(_aspects(wish) for wish in self.told))
        return tuple(template for template in pool if not contradict(template.imposes, aspects))


def weighed(wishes: Sequence[str], demands: Demands) -> Wishes:
    """Which of the wishes may be told to whoever demands this."""
    told = tuple(wish for wish in wishes if not _contradicts(wish, demands))
    return Wishes(told, tuple(wish for wish in wishes if wish not in told), _lines(told, demands) if told else ())


def dressed(
    text: str,
    original: str,
    order: Sequence[Template],
    pool: Sequence[Template],
    rng: Random,
    credit: Credit | None = None,
) -> Iterator[tuple[str, str, str]]:
    """(mutant, names, mutant without wishes) of templates around `text`, each with a line of `order`.

    Half of the first are the text with nothing else, the others have one more line that asks for something. Lines
    that ask for nothing come last. A text that quotes responses gives way to the original.
    """
    text = original if operator_of(text, original) else text
    around = wrappings(text, original, rng, pool, credit)
    asking = all(template.imposes for template in pool)
    for number, line in enumerate(order):
        wrapped = next(around, None) if asking and number % 2 else None
        inner, name = wrapped or (text, "")
        yield line.wrap(inner), _named(line, name), inner
    for number, line in enumerate(order):
        if asking and number % 2:
            yield line.wrap(text), line.name, text
    for inner, name in around:
        for line in order:
            yield line.wrap(inner), _named(line, name), inner


def _named(line: Template, name: str) -> str:
    return f"{line.name}+{name}" if name else line.name


def _contradicts(wish: str, demands: Demands) -> bool:
    if demands.on_text or demands.unread or demands.kinds & _RIGID:
        return True
    if Demand.LANGUAGE in demands.kinds and languages_named(wish):
        return True
    if Demand.FORMAT in demands.kinds and not is_of_words(wish):
        return True
    elsewise = replace(demands, kinds=demands.kinds - {Demand.LANGUAGE, Demand.FORMAT})
    return bool(_aspects(wish) & elsewise.forbids)


def _aspects(wish: str) -> frozenset[Aspect]:
    """What an answer that fulfils a wish has beside its content."""
    return imposed(wish).union(*(_ASPECTS.get(kind, frozenset(Aspect)) for kind in kinds_of(wish)))


def _lines(wishes: Sequence[str], demands: Demands) -> tuple[Template, ...]:
    """In the language of the wishes, or in English around those of a language that has no lines."""
    found = language_of("; ".join(wishes))
    language = found if found in WISH_FRAMES else "en"
    frame = WISH_FRAMES[language]
    gap, stop, between = ("", "。", "；") if language in _DENSE else (" ", ".", "; ")
    answers_alike = language == demands.language or Demand.LANGUAGE in demands.kinds
    named = any(languages_named(wish) for wish in wishes)
    ending = "" if answers_alike or named else IN_ITS_LANGUAGE

    def sentence(before: str, wishes: Sequence[str]) -> str:
        said = between.join(wishes)
        return f"{before}{gap}{said}{'' if said[-1] in _STOPS else stop}"

    def listed(before: str) -> str:
        return "\n".join((before, *(f"- {wish}" for wish in wishes)))

    made = [
        ("wishes", sentence(frame.plain, wishes)),
        ("wishes_strict", sentence(frame.strict, wishes)),
        ("wishes_reminded", sentence(frame.reminded, wishes)),
        ("wishes_listed", listed(frame.listed)),
        ("wishes_check", listed(frame.check)),
    ]
    for wish in wishes:
        others = [other for other in wishes if other != wish]
        stressed = [sentence(frame.most, [wish]), *([sentence(frame.others, others)] if others else [])]
        made.append(("wishes_stressed", gap.join(stressed)))
    left_out = _LISTS if Demand.FORMAT in demands.kinds else frozenset()
    return tuple(
        Template(name, line + (("\n" if "\n" in line else gap) + ending if ending else ""))
        for name, line in made
        if name not in left_out
    )
