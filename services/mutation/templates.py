"""Fixed wrappings of an instruction, for where the language model yields too few rewrites. Pure.

A wrapping keeps the instruction verbatim, so it cannot lose its meaning; it asks for a quality of the answer that
rewards look at. A parent that is itself wrapped is unwrapped first, so wrappings never nest.
"""

from dataclasses import dataclass
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


TEMPLATES: tuple[Template, ...] = (
    _after("ask_clarity", "Please make your answer clear and easy to follow."),
    _after("ask_detail", "Please be thorough and include the important details."),
    _after("ask_steps", "Please think it through step by step."),
    _after("ask_concise", "Please keep your answer focused and to the point."),
    _after("ask_examples", "Where it helps, include a concrete example."),
    _after("ask_accuracy", "Please make sure that everything you say is accurate."),
    _after("ask_structure", "Please organize your answer well."),
    _after("ask_completeness", "Make sure that every part of this request is addressed."),
    _after("ask_reasons", "Please give the reasons behind your answer."),
    _after("ask_plain_words", "Please use plain language."),
    _after("ask_check", "Check your answer for mistakes before you finish."),
    _after("ask_engaging", "Please make your answer engaging to read."),
    _after("ask_summary", "Start with the most important point."),
    _after("ask_context", "Please give enough background for a newcomer to understand."),
    _before("outline_first", "Outline your answer first, then write it out in full."),
    _before("plan_silently", "Think about what a complete answer needs, then give it."),
    _before("as_expert", "Answer as a helpful expert in the subject would."),
    _before("as_teacher", "Answer as a patient teacher would."),
    _before("careful_reading", "Read the following request carefully and do exactly what it asks."),
    _before("best_answer", "Give the best possible answer to the following request."),
    _before("specific", "Be specific and avoid generalities in your answer."),
    _before("helpful_tone", "Answer the following in a friendly and helpful tone."),
    _before("precise_tone", "Answer the following precisely and factually."),
    _before("useful_answer", "Answer so that the reader can make use of it right away."),
)


def core_of(text: str, original: str) -> str:
    """`text` without wrappings; the original is never taken apart, even where it ends like one."""
    while text != original:
        inner = next((core for template in TEMPLATES if (core := template.unwrap(text)) is not None), None)
        if inner is None:
            break
        text = inner
    return text


def shuffled(rng: Random) -> list[Template]:
    """Every template once, in an order drawn by `rng`."""
    return rng.sample(TEMPLATES, len(TEMPLATES))
