"""The one table of methods, for the core, the gateway, the command line, the evaluation's report and the inspector."""

from dataclasses import dataclass
from typing import Literal, get_args

Method = Literal["darwin", "best-of-n", "mutation-only", "replacement-only", "sample"]
SelectionName = Literal["truncation", "pessimism"]
"""The rules in `services/orchestrator/core/selection.py`."""

Ability = Literal["continues", "raw_prompts"]
"""What not every deployment's generation can do: go on with a response, or with the beginning of an answer; and take
prompts without a chat template."""
ABILITIES: tuple[Ability, ...] = get_args(Ability)


@dataclass(frozen=True)
class MethodTraits:
    """What sets a method apart; `core/presets.py` makes the machine's settings from it.

    `text` is a sentence for people and `colour` the method's colour in plots, in hex. A method that `searches` runs
    cycles with a population. One that `mutates` decodes from rewritten instructions, the others from the original.
    One that `replaces` decodes `period` tokens at a time and has a selection rule choose whose response goes on; the
    others decode every response to its end in one round, unless their population shrinks.
    """

    text: str
    colour: str
    searches: bool = True
    mutates: bool = False
    replaces: bool = False

    @property
    def independent(self) -> bool:
        """Whether its responses are independent samples, so that any n of them are a best-of-n of their own."""
        return self.searches and not (self.mutates or self.replaces)


METHODS: dict[Method, MethodTraits] = {
    "darwin": MethodTraits(
        "Mutated instructions, with badly rewarded responses replaced while they are decoded.",
        colour="#d55e00",
        mutates=True,
        replaces=True,
    ),
    "best-of-n": MethodTraits(
        "Several samples of the original instruction, the best rewarded wins.",
        colour="#0072b2",
    ),
    "mutation-only": MethodTraits(
        "Mutated instructions, without replacement.",
        colour="#009e73",
        mutates=True,
    ),
    "replacement-only": MethodTraits(
        "The original instruction in every state, with replacement.",
        colour="#cc79a7",
        replaces=True,
    ),
    "sample": MethodTraits(
        "One plain response.",
        colour="#808080",
        searches=False,
    ),
}
"""By the name that a request gives as its `model`, in the order of lists and menus. The colours are Okabe and Ito's,
which colour-blind people can tell apart."""

IN_ONE_PIECE = ", ".join(name for name, traits in METHODS.items() if not traits.replaces)
"""The methods that decode each response in one piece, for people."""
