"""The settings of a search. Each is declared once, here.

The API's schema and its form in the inspector, the record, the core's settings and the command line's options are all
made from the fields of `Search`.
"""

from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from shared.methods import METHODS, Method, SelectionName
from shared.records.efforts import Effort
from shared.records.limits import MAX_CROSSOVER, MAX_CYCLES, MAX_LOOKAHEAD, MAX_MUTANTS, MAX_PERIOD

Mutation = Literal["auto", "model", "templates"]
Preset = Literal["default", "paper"]
LEAST_DEADLINE_MS, MOST_DEADLINE_MS = 100, 86_400_000
MAX_BETA, MIN_SHRINK = 1000, 0.1


@dataclass(frozen=True)
class Setting:
    """What a setting does, in a sentence for people, and the least and the most that it may be, both included."""

    text: str
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class Search:
    """The settings of an evolution's search."""

    cycles: Annotated[
        int, Setting("Mutation cycles. At least 1, except with the model `sample`, which has none.", 0, MAX_CYCLES)
    ] = 1
    mutants: Annotated[int, Setting("Instructions, and so candidate responses, per cycle.", 1, MAX_MUTANTS)] = 5
    period: Annotated[
        int,
        Setting(
            "Tokens that each candidate grows by before all are scored and the badly rewarded ones replaced.",
            1,
            MAX_PERIOD,
        ),
    ] = 40
    survivors: Annotated[
        int,
        Setting(
            "Candidates that keep their own response at each replacement; fewer than `mutants`.", 1, MAX_MUTANTS - 1
        ),
    ] = 1
    diversity: Annotated[
        float,
        Setting(
            "What it costs a survivor, in units of reward, to say the same as one that was chosen before: this times "
            "the greatest cosine of their embeddings. With `truncation` and several `survivors`; with 0 rewards alone "
            "decide.",
            0,
            MAX_BETA,
        ),
    ] = 0.0
    selection: Annotated[
        SelectionName,
        Setting(
            "Whose responses go on at each replacement: the `survivors` best rewarded ones, each with the same chance "
            "(`truncation`), or each by a weight that grows with its reward, as far as `beta` lets it (`pessimism`)."
        ),
    ] = "truncation"
    beta: Annotated[
        float,
        Setting(
            "With `pessimism`, how little rewards are trusted at each replacement, in units of reward: with 0 only the "
            "best response goes on, with much more than rewards differ by each keeps its own.",
            0,
            MAX_BETA,
        ),
    ] = 0.1
    final_beta: Annotated[
        float,
        Setting(
            "How little rewards are trusted as the answer is picked, in units of reward: with 0 the best rewarded "
            "response is the answer, with more it is drawn by weights that grow with rewards, with much more by equal "
            "ones.",
            0,
            MAX_BETA,
        ),
    ] = 0.0
    shrink: Annotated[
        float,
        Setting(
            "The share of the unfinished candidates, the best rewarded ones, that goes on after each round, one at "
            "least; the others end there and are no answers. It has any method decode `period` tokens a round. With 1 "
            "all go on.",
            MIN_SHRINK,
            1,
        ),
    ] = 1.0
    lookahead: Annotated[
        int, Setting("Tokens decoded beyond `period` for the scoring only, then thrown away.", 0, MAX_LOOKAHEAD)
    ] = 0
    mutation: Annotated[
        Mutation,
        Setting(
            "Who rewrites the instruction: the language model (`model`), which costs tokens; fixed wrappings of it "
            "(`templates`), which cost none; or whichever the deployment is set up for (`auto`)."
        ),
    ] = "auto"
    crossover: Annotated[
        int,
        Setting(
            "How many of the best distinct responses so far one mutant of each cycle, from the second on, quotes "
            "behind the instruction, to ask for one answer that keeps what is best in them: 0, or 2 and more.",
            0,
            MAX_CROSSOVER,
        ),
    ] = 0
    refine: Annotated[
        bool,
        Setting(
            "Whether one mutant of each cycle, from the second on, quotes the best response so far and asks for a "
            "better one. The language model criticises that response first, which costs tokens, unless `mutation` is "
            "`templates`."
        ),
    ] = False
    spread: Annotated[
        int,
        Setting(
            "Over how many endpoints the candidates are spread, where the deployment's language model has several; 1: "
            "one decodes them all. A candidate stays at its own, and goes on there with a response that it takes over.",
            1,
            MAX_MUTANTS,
        ),
    ] = 1
    max_generated_tokens: Annotated[
        int | None,
        Setting(
            "Budget of sampled tokens, mutation included: never exceeded, except that each sequence gets one token. "
            "When it is used up the best response so far is the answer. Default: none.",
            1,
            10_000_000,
        ),
    ] = None
    token_price: Annotated[
        float | None,
        Setting(
            "What a thousand sampled tokens cost, in units of reward. After each cycle the search ends where another "
            "is expected to gain less than its tokens cost (`gain_unlikely`), and `cycles` is a maximum; with 0 the "
            "expectation is only told. Default: the deployment's for the reward profile; without one, every cycle is "
            "searched.",
            0,
            1000,
        ),
    ] = None
    max_reward_calls: Annotated[
        int | None,
        Setting(
            "Budget of responses scored, mutation not included: never exceeded. Where fewer are left than responses, "
            "complete ones are scored; then the best response so far is the answer. Default: none.",
            1,
            10_000_000,
        ),
    ] = None
    replace_in_reasoning: Annotated[
        bool,
        Setting(
            "Whether candidates of a model that thinks first are compared while they think: scored by their thoughts, "
            "and replaced. By default each thinks to its end undisturbed, and is compared once it answers."
        ),
    ] = False
    stream_settled: Annotated[
        bool,
        Setting(
            "Whether streams send the beginning of the answer once all candidates share it after a replacement in the "
            "last cycle. The answer is then kept to it, even where another response, such as the plain one, ends up "
            "with a greater reward. Without effect with n, tools, formats and log probabilities."
        ),
    ] = False
    credit: Annotated[
        bool,
        Setting(
            "Whether ways to rewrite the instruction are drawn by what they gained at equal length in your earlier "
            "searches with `credit` under the same profile, on instructions like this one; what this search gains "
            "is then added: names, gains and the instruction's embedding, no text. Tenants share none of it unless "
            "the deployment has them do so."
        ),
    ] = False
    deadline_ms: Annotated[
        int | None,
        Setting(
            "Milliseconds since acceptance after which the best response so far is the answer. Default: the "
            "deployment's, if any.",
            LEAST_DEADLINE_MS,
            MOST_DEADLINE_MS,
        ),
    ] = None


@dataclass(frozen=True)
class DeclaredSetting:
    """A field of `Search`: its name, its type, its default, and what was declared of it."""

    name: str
    type: Any
    default: Any
    setting: Setting


def declared_settings() -> tuple[DeclaredSetting, ...]:
    """Every setting, in the order of declaration.

    Raises:
        TypeError: a field of `Search` is declared without a `Setting`.
    """
    hints = get_type_hints(Search, include_extras=True)
    return tuple(_declared(field.name, hints[field.name], field.default) for field in fields(Search))


def _declared(name: str, hint: Any, default: Any) -> DeclaredSetting:
    if get_origin(hint) is Annotated:
        kind, *extras = get_args(hint)
        for extra in extras:
            if isinstance(extra, Setting):
                return DeclaredSetting(name, kind, default, extra)
    raise TypeError(f"Search.{name} is declared without a Setting")


RECOMBINING = ("crossover", "refine")
"""The settings that each have one mutant of a cycle quote earlier responses; its operator has the setting's name."""

PRESETS: dict[Preset, Search] = {
    "default": Search(),
    "paper": Search(cycles=1, mutants=5, period=40, survivors=3, lookahead=0, mutation="model"),
}
"""Settings to start from. docs/results.md says why the defaults differ from the paper's."""


EFFORT_SETTINGS: dict[Effort, dict[str, int]] = {
    "minimal": {"mutants": 2, "cycles": 1},
    "low": {"mutants": 3, "cycles": 1},
    "medium": {},
    "high": {"mutants": 8, "cycles": 2},
    "xhigh": {"mutants": 12, "cycles": 2},
    "max": {"mutants": 16, "cycles": 2},
}
"""Settings of the search by reasoning effort, in the place of those that it begins with; "none" is no search."""


def most_responses(method: Method, search: Search) -> int:
    """How many final responses a search gives at most, the base response included."""
    return 1 + search.cycles * search.mutants if METHODS[method].searches else 1


def in_rounds(method: Method, search: Search) -> bool:
    """Whether a search decodes its responses piece by piece, and decides something after each."""
    traits = METHODS[method]
    return traits.replaces or (traits.searches and search.shrink < 1)
