"""The five methods as settings of one machine, so that a comparison is a change of preset and never of code."""

from dataclasses import replace

from services.orchestrator.core.values import Config
from shared.errors import InvalidRequest
from shared.records.evolution import EvolutionRequest, Method, Search


def config_for(request: EvolutionRequest) -> Config:
    """The machine's settings for a request.

    `sample` is the base response alone. `best-of-n` decodes the original instruction `mutants` times beside it, so
    n = mutants + 1. `mutation-only` decodes each mutant to its end in one round. `replacement-only` evolves states
    that all carry the original instruction. `darwin` does both.

    Raises:
        InvalidRequest: the settings contradict each other.
    """
    search = request.search
    full = Config(
        cycles=search.cycles,
        mutants=search.mutants,
        period=search.period,
        survivors=search.survivors,
        lookahead=search.lookahead,
        mutate=True,
        replace=True,
        max_tokens=request.sampling.max_tokens,
        max_generated_tokens=search.max_generated_tokens,
        max_reward_calls=search.max_reward_calls,
    )
    config = _preset(request.method, full)
    _check(config, search, request.n)
    return config


def _preset(method: Method, full: Config) -> Config:
    one_round = replace(full, replace=False, period=full.max_tokens, lookahead=0)
    match method:
        case "sample":
            return replace(one_round, cycles=0, mutants=0, mutate=False)
        case "best-of-n":
            return replace(one_round, mutate=False)
        case "mutation-only":
            return one_round
        case "replacement-only":
            return replace(full, mutate=False)
        case "darwin":
            return full


def _check(config: Config, search: Search, n: int) -> None:
    if config.replace and search.survivors >= search.mutants:
        raise InvalidRequest(
            f"darwin.survivors ({search.survivors}) must be below darwin.mutants ({search.mutants}): "
            "with every state surviving, nothing is ever replaced",
            field="darwin.survivors",
        )
    if config.cycles > 0 and config.mutants < 1:
        raise InvalidRequest("darwin.mutants must be at least 1", field="darwin.mutants")
    possible = 1 + config.cycles * config.mutants
    if n > possible:
        raise InvalidRequest(
            f"n is {n}, but these settings give at most {possible} final responses: raise darwin.mutants or "
            "darwin.cycles",
            field="n",
        )
