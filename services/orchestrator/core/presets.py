"""The methods as settings of one machine, so that a comparison is a change of settings and never of code."""

from dataclasses import replace

from services.orchestrator.core.values import Config
from shared.methods import METHODS
from shared.records.evolution import EvolutionRequest
from shared.records.relative import unpriced
from shared.records.search import in_rounds
from shared.records.search_rules import check_search
from shared.records.settling import unsettled


def config_for(request: EvolutionRequest) -> Config:
    """The machine's settings for a request.

    `sample` is the base response alone. `best-of-n` decodes the original instruction `mutants` times beside it, so
    n = mutants + 1. `mutation-only` decodes each mutant to its end in one round. `replacement-only` evolves states
    that all carry the original instruction. `darwin` does both. A raw prompt is never rewritten, by any of them. A
    population that shrinks decodes in rounds, whatever the method.

    Raises:
        InvalidRequest: the settings contradict each other.
    """
    check_search(request.method, request.search, request.n)
    method = METHODS[request.method]
    config = Config(
        **vars(request.search),
        mutate=method.mutates and request.raw_prompt is None,
        replace=method.replaces,
        max_tokens=request.sampling.max_tokens,
        complete_first=request.sampling.format is not None,
        relative=request.relative_rewards,
        held_back=max((len(string) - 1 for string in request.sampling.stop), default=0),
    )
    if unpriced(request):
        config = replace(config, token_price=None)
    if unsettled(request):
        config = replace(config, stream_settled=False)
    if not in_rounds(request.method, request.search):
        config = replace(config, period=config.max_tokens, lookahead=0)
    if not method.searches:
        config = replace(config, cycles=0, mutants=0)
    return config
