"""Fixed wrappings of an instruction, for where the language model yields too few rewrites. Pure.

A wrapping keeps the instruction verbatim, so it cannot lose its meaning; it asks for a quality of the answer that
rewards look at. A parent that earned its place by its wrapping keeps it: its mutants have one more around it. What a
conversation demands of the form of its answer rules out every wrapping that asks for another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from random import Random

from services.mutation.credit import draw, draw_of_group
from services.mutation.demands import Aspect, Demands, contradict
from services.mutation.line_kinds import KIND_OF, Kind
from services.mutation.lines import OPEN
from services.mutation.neutral_lines import NEUTRAL
from services.mutation.recombination import operator_of
from shared.records.credit import Credit


@dataclass(frozen=True)
class Template:
    """A line that is put after an instruction, and what it asks of the answer beside what the instruction asks."""

    name: str
    line: str
    imposes: frozenset[Aspect] = frozenset()

    @property
    def kind(self) -> Kind:
        return KIND_OF[self.name]

    def wrap(self, core: str) -> str:
        return f"{core}\n\n{self.line}"

    def unwrap(self, text: str) -> str | None:
        """The instruction before the line, or None where `text` does not end with it."""
        core = text.removesuffix(f"\n\n{self.line}")
        return core if core != text and core.strip() else None


_OPEN = {
    language: tuple(Template(name, line, frozenset(imposes)) for name, line, imposes in lines)
    for language, lines in OPEN.items()
}
_NEUTRAL = {language: tuple(Template(name, line) for name, line in lines) for language, lines in NEUTRAL.items()}
TEMPLATES: tuple[Template, ...] = _OPEN["en"]
"""The templates of an English request that demands no form."""

EVERY: tuple[Template, ...] = tuple(
    template for pools in (_OPEN, _NEUTRAL) for pool in pools.values() for template in pool
)

DEPTH = 2
"""The most wrappings around one instruction."""


def pool(demands: Demands) -> tuple[Template, ...]:
    """The templates that contradict no demand, in the request's language.

    Where its form rules all of them out, these are the templates that go with any form; where nothing may be put behind
    the request, there are none.
    """
    language, forbidden = demands.line_language, demands.forbids
    if language is None:
        return ()
    allowed = tuple(template for template in _OPEN.get(language, ()) if not template.imposes & forbidden)
    return allowed or _NEUTRAL.get(language, ())


def core_of(text: str, original: str) -> str:
    """`text` without wrappings, and without the responses that it may quote behind the original; that is never taken
    apart, even where it ends like one.
    """
    if operator_of(text, original):
        return original
    while (inner := _unwrapped(text, original)) is not None:
        text = inner
    return text


def rooted(text: str, original: str) -> str:
    """`text` with at most DEPTH - 1 of its innermost wrappings, so that one more can be put around it; the original
    where it quotes responses.
    """
    if operator_of(text, original):
        return original
    layers = [text]
    while (inner := _unwrapped(layers[-1], original)) is not None:
        layers.append(inner)
    return layers[-DEPTH] if len(layers) >= DEPTH else text


def wrappings(
    text: str,
    original: str,
    rng: Random,
    templates: Sequence[Template] = TEMPLATES,
    credit: Credit | None = None,
) -> Iterator[tuple[str, str]]:
    """(text, names) of mutants of `text`, in an order drawn by `rng`: one more wrapping, then two around the core.

    What worked stays: a wrapping that `text` has is kept, and another put around it, unless the two contradict each
    other. Lines that impose nothing come alone: two of them say one thing twice. So do two of one kind. `credit` says
    what lines have earned so far; without it all kinds are drawn alike.
    """
    root, core = rooted(text, original), core_of(text, original)
    inner = outermost(root, original)
    for template in drawn(templates, rng, credit):
        inside = root if inner is None or _go_together(template, inner) else core
        if (wrapped := template.wrap(inside)) != root:
            yield wrapped, template.name
    pairs = [(outer, inner) for outer, inner in permutations(templates, 2) if _go_together(outer, inner)]
    for outer, inner in rng.sample(pairs, len(pairs)):
        yield outer.wrap(inner.wrap(core)), f"{outer.name}+{inner.name}"


def _go_together(one: Template, other: Template) -> bool:
    both = bool(one.imposes and other.imposes)
    return both and one.kind is not other.kind and not contradict(one.imposes, other.imposes)


def drawn(templates: Sequence[Template], rng: Random, credit: Credit | None = None) -> Iterator[Template]:
    """The templates in an order drawn by `rng`: a kind each time, then a line of that kind.

    Without credit each kind comes once before any comes twice; else both are drawn by what they have earned.
    """
    left: dict[Kind, list[Template]] = {}
    for template in rng.sample(templates, len(templates)):
        left.setdefault(template.kind, []).append(template)
    if credit is None:
        while left:
            for kind in rng.sample(list(left), len(left)):
                yield left[kind].pop()
                if not left[kind]:
                    del left[kind]
        return
    names = {kind: [template.name for template in templates if template.kind is kind] for kind in left}
    while left:
        kind = max(left, key=lambda kind: draw_of_group(credit, names[kind], rng))
        line = max(left[kind], key=lambda template: draw(credit, template.name, names[kind], rng))
        left[kind].remove(line)
        if not left[kind]:
            del left[kind]
        yield line


def outermost(text: str, original: str) -> Template | None:
    """The outermost wrapping of `text`; None where it has none."""
    if text == original:
        return None
    return next((template for template in EVERY if template.unwrap(text) is not None), None)


def _unwrapped(text: str, original: str) -> str | None:
    """`text` without its outermost wrapping; None where it has none."""
    template = outermost(text, original)
    return template.unwrap(text) if template else None
