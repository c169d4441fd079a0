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
    """A line put after an instruction."""

    name: str
    line: str

    def wrap(self, core: str) -> str:
        return f"{core}\n\n{self.line}"

    def unwrap(self, text: str) -> str | None:
        """The instruction before the line, or None where `text` does not end with it."""
        core = text.removesuffix(f"\n\n{self.line}")
        return core if core != text and core.strip() else None


# Chosen by the reward quality_permissive, which prefers their answers to plain ones by 0.12 points or more on the even
# half of MT-Bench's first turns: `python -m bench.templates`, which also knows those that were left out.
TEMPLATES: tuple[Template, ...] = (
    Template("think_why", "Let's think about what matters here, step by step, and explain why."),
    Template("ask_short_then_detail", "Give a short answer first, and then explain it in detail."),
    Template("explore", "Let's explore this together, and look at why it matters."),
    Template("ask_paragraphs", "Answer in well-formed paragraphs."),
    Template("think_carefully", "Let's think about this carefully and in depth, one aspect after another."),
    Template("ask_connections", "In your answer, show how the parts are connected and what they mean."),
    Template("ask_steps", "Please think it through step by step."),
    Template("ask_reasons", "Please give the reasons behind your answer."),
    Template("ask_long", "Write a long and informative answer."),
    Template("ask_depth", "Discuss it in depth, and say why each part matters."),
    Template("ask_develop", "Write several paragraphs that develop your answer with reasons, context and detail."),
    Template("ask_full", "Give a full explanation in well-formed paragraphs, with the reasons for what you say."),
    Template("ask_insight", "Offer real insight in well-formed paragraphs."),
    Template("work_through", "Let's work through this step by step."),
    Template("ask_context", "Please give enough background for a newcomer to understand."),
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
