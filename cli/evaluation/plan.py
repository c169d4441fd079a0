"""What an evaluation compares: cells of a method and its settings, written as YAML.

sampling: {max_tokens: 128, temperature: 0.7}   # common to all cells
search: {mutants: 5}                             # as in a request's `darwin`, `profile` (the guide) included
cells:
  - {method: best-of-n, mutants: 31}             # the report derives every smaller n from it
  - {method: darwin, cycles: [1, 2], lookahead: [0, 16]}    # a list stands for one cell for each of its values
"""

from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cli.console import CommandError
from cli.evaluation.rows import cell_name
from shared.methods import METHODS, Method
from shared.records.search import Search, most_responses

SHIPPED = Path(__file__).parent / "plans"
_MAX_CELLS = 1000

Value = bool | int | float | str | None


class PlanError(CommandError):
    """The plan cannot be used; says what is wrong where."""


@dataclass(frozen=True)
class Cell:
    """A method and the settings that set it apart from the plan's common part."""

    method: Method
    setting: dict[str, Value]

    @property
    def name(self) -> str:
        return cell_name(self.method, self.setting)


class CellSpec(BaseModel):
    """One entry of `cells`: the method, and values or lists of values for fields of a request's `darwin`."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Value | list[Value]]

    method: Method

    def cells(self) -> list[Cell]:
        settings = self.__pydantic_extra__
        values = [value if isinstance(value, list) else [value] for value in settings.values()]
        return [Cell(self.method, dict(zip(settings, chosen, strict=True))) for chosen in product(*values)]


class Plan(BaseModel):
    """`sampling` holds fields of a chat request, `search` those of its `darwin`; both apply to every cell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str = ""
    sampling: dict[str, Value] = Field(default_factory=dict)
    search: dict[str, Value] = Field(default_factory=dict)
    specs: tuple[CellSpec, ...] = Field(alias="cells", min_length=1)

    @field_validator("sampling", "search")
    @classmethod
    def _no_method(cls, values: dict[str, Value]) -> dict[str, Value]:
        for name in ("model", "messages", "seed", "n", "method"):
            if name in values:
                raise ValueError(f"{name} is set by the evaluation itself")
        return values

    @model_validator(mode="after")
    def _samples_are_whole(self) -> Self:
        for cell in self.cells:
            shrink = {**self.search, **cell.setting}.get("shrink", 1)
            if METHODS[cell.method].independent and shrink != 1:
                raise ValueError(
                    f"{cell.method} with shrink: smaller n are derived from independent samples, of which none may be "
                    "dropped; leave shrink out, or use mutation-only"
                )
        return self

    @property
    def cells(self) -> list[Cell]:
        """All cells in the order of the plan, each once."""
        return list({cell.name: cell for spec in self.specs for cell in spec.cells()}.values())

    @property
    def common(self) -> dict[str, Any]:
        """What every cell shares, and so what rows of one folder must share."""
        return {"sampling": self.sampling, "search": self.search}

    def most_tokens(self, cell: Cell) -> int | None:
        """Sampled tokens of one turn at most, without those of mutants that a model writes; None without max_tokens."""
        longest = self.sampling.get("max_tokens")
        if not isinstance(longest, int):
            return None
        search = _with_defaults({**self.search, **cell.setting})
        responses = most_responses(cell.method, search)
        ahead = search.lookahead * -(-longest // search.period) if METHODS[cell.method].replaces else 0
        most = responses * longest + (responses - 1) * ahead
        return most if search.max_generated_tokens is None else min(most, search.max_generated_tokens)

    def body(self, cell: Cell, messages: list[dict[str, str]], seed: int) -> dict[str, Any]:
        """The request of one turn. All final responses are returned: of independent samples smaller n can be derived,
        and of every population what the judge would have picked."""
        search = {**self.search, **cell.setting}
        # An effort decides on the number of mutants, and so on how many responses there are.
        few = not METHODS[cell.method].independent and "reasoning_effort" in self.sampling
        n = 1 if few else most_responses(cell.method, _with_defaults(search))
        if not METHODS[cell.method].searches:
            search.pop("cycles", None)
        return {
            "model": cell.method,
            "messages": messages,
            **self.sampling,
            "seed": seed,
            "n": n,
            "darwin": search,
        }


def _with_defaults(search: dict[str, Any]) -> Search:
    known = {field.name for field in fields(Search)}
    return Search(**{name: value for name, value in search.items() if name in known and value is not None})


def read_plan(name: str) -> Plan:
    """A shipped plan by name, or a file.

    Raises:
        PlanError: there is none, or it cannot be read as a plan.
    """
    file = SHIPPED / f"{name}.yaml"
    file = file if file.is_file() else Path(name)
    try:
        plan = Plan.model_validate(yaml.safe_load(file.read_bytes()))
    except (OSError, UnicodeDecodeError) as error:
        shipped = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.yaml")))
        raise PlanError(f"no plan {name}: {error}; shipped are {shipped}") from error
    except yaml.YAMLError as error:
        raise PlanError(f"{file} is not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise PlanError(f"{file}: {'.'.join(map(str, first['loc'])) or 'plan'}: {first['msg']}") from error
    if len(plan.cells) > _MAX_CELLS:
        raise PlanError(f"{file} stands for {len(plan.cells)} cells; {_MAX_CELLS} are possible")
    return plan
