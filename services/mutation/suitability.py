"""Whether the language model rewrites well enough to do so unasked: measured on a dozen instructions that ship here."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from services.mutation.messages import AcceptedMutant, Mode, MutationRequest, TextSource
from services.mutation.mutator import InstructionMutator
from services.mutation.operators import OPERATORS
from shared.errors import DarwinError
from shared.records.evolution import Message
from shared.telemetry.metrics import METER

log = logging.getLogger(__name__)

# Of the kinds that people ask for, and in four languages; none demands a form, which would forbid some operators.
INSTRUCTIONS = (
    "How do I keep basil alive indoors?",
    "Explain the difference between weather and climate.",
    "Write a polite email to a neighbour about loud music at night.",
    "What are the advantages and disadvantages of remote work?",
    "Write a Python function that checks whether a word is a palindrome.",
    "A train leaves at 9:40 and the ride takes 85 minutes. When does it arrive?",
    "Describe how vaccines train the immune system.",
    "Plan a weekend in Lisbon for a family with 2 children.",
    "Tell a story about a lighthouse keeper who finds a letter.",
    "Wie kann ich besser einschlafen?",
    "Pourquoi le ciel est-il bleu ?",
    "¿Cómo puedo ahorrar agua en casa?",
)
REWRITES = 3
"""How many rewrites of each are asked for, by operators that its place in the list draws."""

NameOfModel = Callable[[float], Awaitable[str]]

_CHECK_S, _TIMEOUT_S = 30.0, 600.0

_SHARE = METER.create_gauge(
    "darwin.mutation.auto.share",
    "1",
    "Share of the language model's rewrites of the shipped instructions that passed every check.",
)
_BY_MODEL = METER.create_gauge(
    "darwin.mutation.auto.by_model", "1", "1 where the language model writes unasked, 0 where templates do."
)


@dataclass(frozen=True)
class Suitability:
    """How many of the rewrites that a language model was asked for passed every check."""

    accepted: int
    asked: int

    @property
    def share(self) -> float:
        return self.accepted / self.asked


async def measure(mutator: InstructionMutator, timeout: float | None = None) -> Suitability:
    """Asks for rewrites of every shipped instruction at once, as requests do and with the same checks, within `timeout`
    seconds. Seeds are fixed, so that replicas over the same model find the same.

    Raises:
        Unavailable, Overloaded, DeadlineExceeded: the language model cannot be measured now.
    """
    jobs = [_accepted(mutator, text, seed, timeout) for seed, text in enumerate(INSTRUCTIONS)]
    accepted = 0
    for found in await asyncio.gather(*jobs, return_exceptions=True):
        if isinstance(found, BaseException):
            raise found
        accepted += found
    return Suitability(accepted, REWRITES * len(INSTRUCTIONS))


async def _accepted(mutator: InstructionMutator, text: str, seed: int, timeout: float | None) -> int:
    """How many rewrites of one instruction were accepted."""
    request = MutationRequest((Message("user", text),), text, REWRITES, seed=seed, mode=Mode.MODEL)
    async with aclosing(mutator.mutate(request, timeout)) as events:
        mutants = [event async for event in events if isinstance(event, AcceptedMutant)]
    return sum(mutant.source is TextSource.MODEL for mutant in mutants)


class AutoMode:
    """Says who writes mutants where neither request nor settings do: the language model where more than the share
    `least` of its rewrites are accepted, else templates. Until it is measured, templates do.

    `name` gives the model's name within so many seconds.
    """

    def __init__(self, mutator: InstructionMutator, name: NameOfModel, least: float, check_s: float = _CHECK_S) -> None:
        self._mutator = mutator
        self._name = name
        self._least = least
        self._check_s = check_s
        self._known: dict[str, Suitability] = {}
        self._current: str | None = None

    async def follow(self) -> None:
        """Measures the language model as soon as it answers, and each other one that takes its place; never returns."""
        while True:
            try:
                await self._update()
            except DarwinError as error:
                log.info("auto: the language model is not measured yet, %s: %s", type(error).__name__, error.message)
            except Exception:
                log.exception("auto: the language model could not be measured; it is tried again")
            await asyncio.sleep(self._check_s)

    async def _update(self) -> None:
        name = await self._name(self._check_s)
        if name == self._current:
            return
        if name not in self._known:
            self._choose(by_model=False)
            self._known[name] = await measure(self._mutator, _TIMEOUT_S)
        self._current, found = name, self._known[name]
        by_model = found.share > self._least
        self._choose(by_model)
        _SHARE.set(found.share)
        log.info(
            "auto: %d of %d rewrites by %s accepted, a share of %.2f; above %.2f the model would write, so %s mutants",
            found.accepted,
            found.asked,
            name,
            found.share,
            self._least,
            "the model writes" if by_model else "templates make",
        )

    def _choose(self, by_model: bool) -> None:
        self._mutator.operators = tuple(OPERATORS.values()) if by_model else ()
        _BY_MODEL.set(int(by_model))
