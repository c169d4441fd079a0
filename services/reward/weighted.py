"""A profile as it is computed: a weighted sum of what scorers give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.reward.combining import Ensemble
from services.reward.length import LENGTH, LengthCurve
from services.reward.pairwise.win_rate import win_rates
from services.reward.reference import Sample
from services.reward.scorer import ComponentScore
from services.reward.specs import part_names


@dataclass(frozen=True)
class Component:
    """A term of a profile's sum; `scorer` is the key of the scorer that gives its values. Its scores have `parts`; with
    a `sample`, its value is the quantile in that, and with a `beta` the win rate among those that are scored together.
    It is `relative` where its values compare these, and has `self_certainty` where they need the language model's."""

    name: str
    weight: float
    scorer: str
    parts: tuple[str, ...] = ()
    sample: Sample | None = None
    beta: float | None = None
    relative: bool = False
    self_certainty: bool = False

    def values(self, scores: Sequence[ComponentScore]) -> list[float]:
        """Of all responses that are scored together."""
        values = [score.value for score in scores]
        if self.beta is not None:
            return win_rates(values, self.beta)
        return [self.sample.quantile(value) for value in values] if self.sample else values


@dataclass(frozen=True)
class Profile:
    """A named weighted sum of components and of ensembles of these, less what a response's length predicts of it where
    there is a `length_curve`. What has less than its least value in `required` breaks a requirement. `content` is its
    YAML, `wishes` what it rewards in plain words."""

    name: str
    description: str
    components: tuple[Component, ...]
    length_curve: LengthCurve | None = None
    ensembles: tuple[Ensemble, ...] = ()
    required: Mapping[str, float] = field(default_factory=dict)
    content: str = ""
    wishes: tuple[str, ...] = ()

    @property
    def relative(self) -> bool:
        """Whether its rewards mean something among those only that were scored together."""
        return any(each.relative for each in self.components)

    @property
    def self_certainty(self) -> bool:
        """Whether its rewards need the language model's self-certainty."""
        return any(each.self_certainty for each in self.components)

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of all parts of a reward, in the order of a score's."""
        names = [name for each in self.components for name in (each.name, *part_names(each.name, each.parts))]
        names += [ensemble.name for ensemble in self.ensembles]
        return (*names, LENGTH) if self.length_curve else tuple(names)
