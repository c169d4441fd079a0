"""Fixed wrappings of an instruction, for where the language model yields too few rewrites. Pure.

A wrapping keeps the instruction verbatim, so it cannot lose its meaning; it asks for a quality of the answer that
rewards look at. A parent that earned its place by its wrapping keeps it: its mutants have one more around it. What a
conversation demands of the form of its answer rules out every wrapping that asks for another.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from random import Random

from services.mutation.demands import Aspect, Demands
from services.mutation.lines import NEUTRAL, OPEN


@dataclass(frozen=True)
class Template:
    """A line that is put after an instruction, and what it asks of the answer beside what the instruction asks."""

    name: str
    line: str
    imposes: frozenset[Aspect] = frozenset()

    def wrap(self, core: str) -> str:
        return f"{core}\n\n{self.line}"

    def unwrap(self, text: str) -> str | None:
        """The instruction before the line, or None where `text` does not end with it."""
        core = text.removesuffix(f"\n\n{self.line}")
        return core if core != text and core.strip() else None


# Chosen by the reward quality_permissive, which prefers their answers to plain ones by 0.12 points or more on the even
# half of MT-Bench's first turns: `python -m bench.templates`, which also knows those that were left out.
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
    """`text` without wrappings; the original is never taken apart, even where it ends like one."""
    while (inner := _unwrapped(text, original)) is not None:
        text = inner
    return text


def rooted(text: str, original: str) -> str:
    """`text` with at most DEPTH - 1 of its innermost wrappings, so that one more can be put around it."""
    layers = [text]
    while (inner := _unwrapped(layers[-1], original)) is not None:
        layers.append(inner)
    return layers[-DEPTH] if len(layers) >= DEPTH else text


def wrappings(
    text: str, original: str, rng: Random, templates: tuple[Template, ...] = TEMPLATES
) -> Iterator[tuple[str, str]]:
    """(text, names) of mutants of `text`, in an order drawn by `rng`: one more wrapping, then two around the core.

    What worked stays: a wrapping that `text` has is kept, and another put around it. Lines that impose nothing come
    alone: two of them say one thing twice.
    """
    root, core = rooted(text, original), core_of(text, original)
    for template in rng.sample(templates, len(templates)):
        inside = root if template.imposes else core
        if template.unwrap(inside) is None:
            yield template.wrap(inside), template.name
    pairs = list(permutations([template for template in templates if template.imposes], 2))
    for outer, inner in rng.sample(pairs, len(pairs)):
        yield outer.wrap(inner.wrap(core)), f"{outer.name}+{inner.name}"


def _unwrapped(text: str, original: str) -> str | None:
    """`text` without its outermost wrapping; None where it has none."""
    if text == original:
        return None
    return next((core for template in EVERY if (core := template.unwrap(text)) is not None), None)
