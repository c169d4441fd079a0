"""Profile files: a YAML file names the components whose weighted sum is the reward; its stem is the profile's name."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator

from shared.errors import InvalidRequest, NotFound

SHIPPED = Path(__file__).parent / "profiles"
SHIPPED_HEAD = "quality.safetensors"


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    weight: FiniteFloat

    def scorer_key(self) -> str:
        """Equal for components that one scorer can serve, whatever their names and weights."""
        return self.model_dump_json(exclude={"name", "weight"})


class QualitySpec(_Spec):
    """`head`: a file beside the profile, in this package's `weights`, or an absolute path."""

    type: Literal["quality"]
    head: str = Field(default=SHIPPED_HEAD, min_length=1)


class GuardSpec(_Spec):
    type: Literal["guard"]


class RelevanceSpec(_Spec):
    """`threshold`: the cosine below which the hinge bites."""

    type: Literal["relevance"]
    threshold: FiniteFloat = Field(ge=-1, le=1)


class ClassifierSpec(_Spec):
    """`model`: a Hugging Face id or path of a one-label sequence classifier whose tokenizer has a chat template."""

    type: Literal["classifier"]
    model: str = Field(min_length=1)
    max_tokens: int = Field(default=4096, ge=16)


class VllmSpec(_Spec):
    """As `ClassifierSpec`, served by vLLM; `kv_cache_bytes` is the size of its prefix cache."""

    type: Literal["vllm"]
    model: str = Field(min_length=1)
    max_tokens: int = Field(default=4096, ge=16)
    kv_cache_bytes: int = Field(default=1024**3, ge=1024**2)


class SimulatedSpec(_Spec):
    type: Literal["simulated"]


Spec = QualitySpec | GuardSpec | RelevanceSpec | ClassifierSpec | VllmSpec | SimulatedSpec


class ProfileFile(BaseModel):
    """A profile as its file says it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = ""
    components: tuple[Annotated[Spec, Field(discriminator="type")], ...] = Field(min_length=1)

    @field_validator("components")
    @classmethod
    def _names_differ(cls, components: tuple[Spec, ...]) -> tuple[Spec, ...]:
        twice = [name for name, count in Counter(component.name for component in components).items() if count > 1]
        if twice:
            raise ValueError(f"two components are named {twice[0]!r}")
        return components


SCORER_TYPES = ("quality", "guard", "simulated")
"""Those that need no settings of their own."""


def single(scorer_type: str) -> ProfileFile:
    """The profile that is one scorer of a type without settings."""
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
        profile = ProfileFile.model_validate(yaml.safe_load(path.read_text()))
    except yaml.YAMLError as error:
        raise InvalidRequest(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "profile"
        raise InvalidRequest(f"{path}: {where}: {first['msg']}", field=where) from error
    return profile.model_copy(update={"components": tuple(_beside(spec, path) for spec in profile.components)})


def _beside(spec: Spec, path: Path) -> Spec:
    if isinstance(spec, QualitySpec) and (path.parent / spec.head).is_file():
        return spec.model_copy(update={"head": str((path.parent / spec.head).resolve())})
    return spec
