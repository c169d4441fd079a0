"""A profile as it is computed: a weighted sum of what scorers give."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.reward.combining import Ensemble
from services.reward.length import LENGTH, LengthCurve
from services.reward.reference import Sample
from services.reward.scorer import ComponentScore
from services.reward.specs import part_names


@dataclass(frozen=True)
class Component:
    """A term of a profile's sum; `scorer` is the key of the scorer that gives its values. Its scores have `parts`; with
    a `sample`, its value is the quantile in that."""

    name: str
    weight: float
    scorer: str
    parts: tuple[str, ...] = ()
    sample: Sample | None = None

    def value(self, score: ComponentScore) -> float:
        return self.sample.quantile(score.value) if self.sample else score.value


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
    def parts(self) -> tuple[str, ...]:
        """The names of all parts of a reward, in the order of a score's."""
        names = [name for each in self.components for name in (each.name, *part_names(each.name, each.parts))]
        names += [ensemble.name for ensemble in self.ensembles]
        return (*names, LENGTH) if self.length_curve else tuple(names)
