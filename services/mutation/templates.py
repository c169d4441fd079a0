"""Fixed wrappings of an instruction, for where the language model yields too few rewrites. Pure.

A wrapping keeps the instruction verbatim, so it cannot lose its meaning; it asks for a quality of the answer that
rewards look at. A parent that earned its place by its wrapping keeps it: its mutants have one more around it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from random import Random


@dataclass(frozen=True)
class Template:
    """Text put before and after an instruction."""

    name: str
    before: str = ""
    after: str = ""

    def wrap(self, core: str) -> str:
        return f"{self.before}{core}{self.after}"

    def unwrap(self, text: str) -> str | None:
        """The instruction inside, or None where `text` is not of this template."""
        if not (text.startswith(self.before) and text.endswith(self.after)):
            return None
        core = text[len(self.before) : len(text) - len(self.after)]
        return core if core.strip() else None


def _before(name: str, line: str) -> Template:
    return Template(name, before=f"{line}\n\n")


def _after(name: str, line: str) -> Template:
    return Template(name, after=f"\n\n{line}")


# Those whose answers the shipped reward prefers to plain ones by at least 0.13, on the even half of MT-Bench's first
# turns with the embedded model (docs/results.md says how, and which others were tried and left out).
TEMPLATES: tuple[Template, ...] = (
    _after("think_why", "Let's think about what matters here, step by step, and explain why."),
    _after("ask_short_then_detail", "Give a short answer first, and then explain it in detail."),
    _after("ask_paragraphs", "Answer in well-formed paragraphs."),
    _after("ask_steps", "Please think it through step by step."),
    _after("ask_reasons", "Please give the reasons behind your answer."),
    _after("ask_long", "Write a long and informative answer."),
    _after("ask_depth", "Discuss it in depth, and say why each part matters."),
    _after("ask_context", "Please give enough background for a newcomer to understand."),
    _after("ask_how_why", "Explain how and why, not only what."),
    _after("ask_structure", "Please organize your answer well."),
    _after("ask_essay", "Write it as a short, well-developed essay."),
    _after("ask_examples", "Where it helps, include a concrete example."),
    _after("ask_bullets", "Use bullet points for the main ideas."),
    _before("as_assistant", "You are a helpful, honest and knowledgeable assistant. Answer the following well."),
    _before("as_expert", "Answer as a helpful expert in the subject would."),
)

DEPTH = 2
"""The most wrappings around one instruction."""


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


def wrappings(text: str, original: str, rng: Random) -> Iterator[tuple[str, str]]:
    """(text, names) of mutants of `text`, in an order drawn by `rng`: one more wrapping, then two around the core.

    What worked stays: a wrapping that `text` has is kept, and another put around it.
    """
    root, core = rooted(text, original), core_of(text, original)
    for template in rng.sample(TEMPLATES, len(TEMPLATES)):
        if template.unwrap(root) is None:
            yield template.wrap(root), template.name
    pairs = list(permutations(TEMPLATES, 2))
    for outer, inner in rng.sample(pairs, len(pairs)):
        yield outer.wrap(inner.wrap(core)), f"{outer.name}+{inner.name}"


def _unwrapped(text: str, original: str) -> str | None:
    """`text` without its outermost wrapping; None where it has none."""
    if text == original:
        return None
    return next((core for template in TEMPLATES if (core := template.unwrap(text)) is not None), None)
