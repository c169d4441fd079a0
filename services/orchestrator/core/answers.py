"""What an evolution has to show: its final responses, best first, and what they cost."""

from services.orchestrator.core.values import BASE, EvolutionState, Final
from shared.picking.answer import picked
from shared.records.evolution import Choice, Fallback, Tokens
from shared.records.logprobs import shown


def choices(evolution: EvolutionState, n: int) -> tuple[Choice, ...]:
    """The `n` best distinct final responses, best first, the earlier first among equals. Fewer where fewer exist.

    Responses are distinct where their texts differ or, of those that call tools, where they call otherwise. Those that
    do not keep what is settled are left out. With a `final_beta`, which of them come first is drawn; where there is a
    `fallback`, the base response does.
    """
    best: dict[tuple[str, str], Final] = {}
    finals, _ = _picked(evolution)
    for final in finals:
        response, called = final.response, final.response.called
        best.setdefault(("calls", called.canonical) if called.calls else ("text", response.text), final)
    return tuple(_choice(final) for final in list(best.values())[:n])


def fallback(evolution: EvolutionState) -> Fallback | None:
    """Why the base response is the answer although another one came first, if it is."""
    _, why = _picked(evolution)
    return why


def _picked(evolution: EvolutionState) -> tuple[list[Final], Fallback | None]:
    """The final responses in the order in which they answer."""
    config = evolution.config
    kept = [final for final in evolution.finals if evolution.settled.kept_by(final.response)]
    return picked(kept, config.final_beta, evolution.seed, config.complete_first)


def base(evolution: EvolutionState) -> Choice | None:
    """The base response; None where the search was stopped before it was complete."""
    return next((_choice(final) for final in evolution.finals if final.state == BASE), None)


def tokens(evolution: EvolutionState) -> Tokens:
    """Tokens by stage. A piece that several final responses share was sampled, and is counted, once."""
    pieces = {piece for final in evolution.finals for piece in final.response.pieces}
    kept = sum(piece.tokens for piece in pieces)
    spent = evolution.spent
    return Tokens(
        prompt=spent.prompt,
        mutation=spent.mutation,
        kept=kept,
        discarded=spent.decode - kept,
        reward=spent.reward,
        cached=spent.cached,
    )


def _choice(final: Final) -> Choice:
    response = final.response
    return Choice(
        text=response.text,
        finish_reason=response.finish or "length",
        completion_tokens=response.tokens,
        reward=final.reward,
        components=final.components,
        instruction=final.instruction,
        cycle=final.cycle,
        state=None if final.state == BASE else final.state,
        tool_calls=response.called.calls,
        valid=response.valid,
        logprobs=() if response.called.calls else shown(response.logprobs[response.reasoning_tokens :], response.text),
        reasoning=response.reasoning,
        reasoning_tokens=response.reasoning_tokens,
        abstained=final.abstained,
        breaks=final.breaks,
    )
