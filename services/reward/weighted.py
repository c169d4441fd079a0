"""A profile as it is computed: a weighted sum of what scorers give."""

from dataclasses import dataclass

from services.reward.length import LENGTH, LengthCurve


@dataclass(frozen=True)
class Component:
    """A term of a profile's sum; `scorer` is the key of the scorer that gives its values."""

    name: str
    weight: float
    scorer: str


@dataclass(frozen=True)
class Profile:
    """A named weighted sum of components, less what a response's length predicts of it where there is a
    `length_curve`. `content` is its YAML."""

    name: str
    description: str
    components: tuple[Component, ...]
    length_curve: LengthCurve | None = None
    content: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of all parts of a reward, in the order of a score's."""
        names = tuple(component.name for component in self.components)
        return (*names, LENGTH) if self.length_curve else names
