"""Profile files: a YAML file names the components whose weighted sum is the reward; its stem is the profile's name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from services.reward.combining import Ensemble
from services.reward.length import LENGTH
from services.reward.profile_errors import problem
from services.reward.registry import QualitySpec, RulesSpec, Spec
from services.reward.specs import WEIGHTS, JudgeSpec, part_names, refuse_doubles
from shared.errors import InvalidRequest, NotFound
from shared.records.limits import MAX_WISH_CHARACTERS, MAX_WISHES
from shared.text.folding import is_one_line

SHIPPED = Path(__file__).parent / "profiles"
_MAX_DEPTH = 80  # a JSON schema's, and what it stands in
TENANT_TYPES = ("quality", "guard", "form", "relevance", "rules", "rubric", "pairwise", "self_certainty", "simulated")
"""Component types of which a tenant's own profiles may be made: they read nothing but the conversation."""
SHIPPED_HEADS = tuple(sorted(path.name for path in WEIGHTS.glob("*.safetensors")))


Wish = Annotated[str, StringConstraints(min_length=1, max_length=MAX_WISH_CHARACTERS)]


class ProfileFile(BaseModel):
    """A profile as its file describes it.

    `length_curve` is a file that `darwin reward calibrate` wrote, looked for where a head is: what an answer's length
    predicts of its reward is taken from it. `reference` is one that `darwin reward sample` wrote, which components with
    `transform: quantile` need. `require` holds least values by the names of components ("guard"), of their parts
    ("rules.brief") and of ensembles. `wishes` say in plain words what is rewarded: mutants tell them to the language
    model; they change no score.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    description: str = ""
    components: tuple[Spec, ...] = Field(min_length=1)
    length_curve: str | None = Field(default=None, min_length=1)
    reference: str | None = Field(default=None, min_length=1)
    ensembles: tuple[Ensemble, ...] = Field(default=(), max_length=32)
    require: dict[str, FiniteFloat] = Field(default_factory=dict, max_length=32)
    wishes: tuple[Wish, ...] = Field(default=(), max_length=MAX_WISHES)

    @field_validator("components")
    @classmethod
    def _names_differ(cls, components: tuple[Spec, ...]) -> tuple[Spec, ...]:
        refuse_doubles((component.name for component in components), "components")
        return components

    @field_validator("wishes")
    @classmethod
    def _wishes_are_lines(cls, wishes: tuple[str, ...]) -> tuple[str, ...]:
        for number, wish in enumerate(wishes):
            if not is_one_line(wish):
                raise ValueError(f"must be single lines without blanks around them, which number {number} is not")
        if len(set(wishes)) < len(wishes):
            raise ValueError("must differ from each other")
        return wishes

    @model_validator(mode="after")
    def _length_is_free(self) -> Self:
        names = [*(component.name for component in self.components), *(ensemble.name for ensemble in self.ensembles)]
        if self.length_curve and LENGTH in names:
            raise ValueError(f"has a component {LENGTH!r}, which is the name of what length_curve takes away")
        return self

    @model_validator(mode="after")
    def _sums_fit(self) -> Self:
        components = {component.name for component in self.components}
        parts = {name for each in self.components for name in part_names(each.name, each.parts)}
        ensembles = {ensemble.name for ensemble in self.ensembles}
        refuse_doubles([*components, *(ensemble.name for ensemble in self.ensembles)], "components or ensembles")
        for ensemble in self.ensembles:
            if unknown := [name for name in ensemble.of if name not in components]:
                raise ValueError(f"has an ensemble {ensemble.name!r} of {unknown[0]!r}, which is no component")
        for name in self.require:
            if name not in components | parts | ensembles:
                there = ", ".join(sorted(components | parts))
                raise ValueError(f"requires {name!r}, which is no component, check or ensemble; there are: {there}")
        if self.reference is None and any(component.transform == "quantile" for component in self.components):
            raise ValueError(
                "has transform: quantile, and no reference: let `darwin reward sample` write one, and name it"
            )
        return self

    @model_validator(mode="after")
    def _compares_what_it_can(self) -> Self:
        if not self.relative:
            return self
        compares = f"has {self.relative[0]!r}, whose values compare the responses that are scored together, and"
        if self.length_curve:
            raise ValueError(f"{compares} length_curve, which a length alone decides: leave one of them out")
        within = {each.name for each in self.ensembles if set(each.of) & set(self.relative)}
        if of := [name for name in self.require if name in within or name in self.relative]:
            raise ValueError(
                f"{compares} requires {of[0]!r}, which the worst of them would always break: leave that out"
            )
        return self

    @property
    def relative(self) -> tuple[str, ...]:
        """The components whose values compare the responses that are scored together."""
        return tuple(component.name for component in self.components if component.relative)

    @property
    def self_certainty(self) -> tuple[str, ...]:
        """The components whose values need the language model's self-certainty."""
        return tuple(component.name for component in self.components if component.self_certainty)


SCORER_TYPES = ("quality", "guard", "simulated")
"""Component types that make a profile by themselves, without settings."""


def single(scorer_type: str) -> ProfileFile:
    """The profile of one component of a type without settings."""
    return ProfileFile.model_validate({"components": [{"name": scorer_type, "type": scorer_type, "weight": 1.0}]})


def load_profiles(names: Sequence[str], folder: Path | None) -> dict[str, ProfileFile]:
    """The named profiles, looked for in `folder` first and among the shipped ones then, and all others of `folder`.

    Raises:
        NotFound: no file for a name, or no such folder.
        InvalidRequest: a file that cannot be read as a profile.
    """
    if folder is not None and not folder.is_dir():
        raise NotFound(f"no profiles folder {folder}")
    own = {path.stem: path for path in sorted(folder.glob("*.yaml"))} if folder else {}
    available = {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))} | own
    for name in names:
        if name not in available:
            raise NotFound(f"no profile {name!r}; there are: {', '.join(available)}", field="profile")
    return {name: read_profile(available[name]) for name in dict.fromkeys((*names, *own))}


def read_profile(path: Path) -> ProfileFile:
    """The profile in one file; raises InvalidRequest saying what is wrong where."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path} cannot be read: {error}") from None
    profile = parse_profile(text, str(path))
    components = tuple(
        spec.model_copy(update={"head": _beside(spec.head, path)}) if isinstance(spec, QualitySpec) else spec
        for spec in profile.components
    )
    files = {name: getattr(profile, name) for name in ("length_curve", "reference")}
    beside = {name: _beside(file, path) for name, file in files.items() if file}
    return profile.model_copy(update={"components": components, **beside})


def parse_profile(text: str, what: str) -> ProfileFile:
    """The profile that a text is as YAML; raises InvalidRequest saying what is wrong where in `what`."""
    try:
        _check_plain(text, what)
        return ProfileFile.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise InvalidRequest(f"{what} is not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        where, problem_there = problem(error)
        raise InvalidRequest(f"{what}: {where} {problem_there}", field=where) from None
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"{what} has a value that cannot be read: {str(error).splitlines()[0]}") from None


def _check_plain(text: str, what: str) -> None:
    """What aliases repeat could be larger than any memory, and deep nesting take the parser minutes."""
    depth = 0
    for event in yaml.parse(text):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise InvalidRequest(f"{what} has lists or mappings more than {_MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent):
            raise InvalidRequest(f"{what} has aliases (*…): write out what they stand for")


def dumped_profile(profile: ProfileFile) -> str:
    """The profile as YAML, without what is at its default."""
    content = profile.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def check_tenants(profile: ProfileFile) -> None:
    """Checks a profile of a tenant's: it names nothing outside it, neither files, addresses, keys nor code of this
    deployment.

    Raises:
        InvalidRequest: it does.
    """
    for index, spec in enumerate(profile.components):
        where = f"components.{index}"
        if spec.type not in TENANT_TYPES:
            allowed = ", ".join(TENANT_TYPES)
            raise InvalidRequest(f"{where}.type must be one of {allowed} in a tenant's profile", field=f"{where}.type")
        if isinstance(spec, QualitySpec) and spec.head not in SHIPPED_HEADS:
            allowed = ", ".join(SHIPPED_HEADS)
            raise InvalidRequest(f"{where}.head must be one of {allowed} in a tenant's profile", field=f"{where}.head")
        if isinstance(spec, RulesSpec) and spec.tokenizer is not None:
            raise _left_out(f"{where}.tokenizer")
        if isinstance(spec, JudgeSpec) and spec.url is not None:
            raise _left_out(f"{where}.url")
    for field in ("length_curve", "reference"):
        if getattr(profile, field) is not None:
            raise _left_out(field)


def _left_out(field: str) -> InvalidRequest:
    return InvalidRequest(f"{field} must be left out of a tenant's profile", field=field)


def _beside(name: str, profile: Path) -> str:
    """The file of that name beside the profile, where there is one; else the name."""
    file = profile.parent / name
    return str(file.resolve()) if file.is_file() else name
