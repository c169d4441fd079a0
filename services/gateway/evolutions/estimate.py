"""What a search may spend at most, which its key's budgets reserve until it has ended."""

import math

from shared.methods import METHODS
from shared.records.evolution import EvolutionRequest
from shared.records.search import in_rounds
from shared.records.spending import Spending

# The default bound of one rewrite; longer instructions are not rewritten by the model.
_REWRITE_TOKENS = 96


def estimate(request: EvolutionRequest) -> Spending:
    """An upper estimate from the request alone.

    A conversation is taken to have a token for each character, as few have. A search that may rewrite by the language
    model is taken to do so. Rewards are taken to come from one model that reads each response whole every time.
    """
    traits, search, most = METHODS[request.method], request.search, request.sampling.max_tokens
    prompt = sum(len(message.content) for message in request.messages)
    states = search.cycles * search.mutants if traits.searches else 0
    rounds, lookahead = 1, 0
    if in_rounds(request.method, search):
        rounds, lookahead = math.ceil(most / search.period), search.lookahead
    generation = most + states * (most + rounds * lookahead)
    rewrites = states if traits.mutates and search.mutation != "templates" else 0
    mutation = rewrites * _REWRITE_TOKENS
    if search.max_generated_tokens is not None:
        # Each sequence may have one token more.
        bound = search.max_generated_tokens + 1 + 2 * search.mutants
        generation = min(generation, bound)
        mutation = min(mutation, bound - generation)
    calls = 1 + states * rounds
    if search.max_reward_calls is not None:
        calls = min(calls, search.max_reward_calls)
    scored = calls * (prompt + most + lookahead)
    return Spending(prompt, mutation, generation, scored)
