"""Hand-made evolutions, shaped as `darwin align --json` prints them."""

from typing import Any

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why is the sky blue?"}]


def base(text: str = "base", reward: float | None = 0.5) -> dict[str, Any]:
    return {"type": "base.scored", "text": text, "reward": reward, "tokens": 4}


def round_finished(
    texts: list[str],
    rewards: list[float | None],
    replacements: dict[int, int] | None = None,
    finished: list[bool] | None = None,
    cycle: int = 1,
    round: int = 1,
) -> dict[str, Any]:
    return {
        "type": "round.finished",
        "cycle": cycle,
        "round": round,
        "texts": texts,
        "rewards": rewards,
        "survivors": [0],
        "replacements": [{"state": state, "donor": donor} for state, donor in (replacements or {}).items()],
        "finished": finished or [True] * len(texts),
        "tokens": 80,
    }


def cycle_finished(rewards: list[float | None], cycle: int = 1) -> dict[str, Any]:
    return {"type": "cycle.finished", "cycle": cycle, "rewards": rewards, "candidates": [], "archive": []}


def evolution(*events: dict[str, Any], status: str = "succeeded", id: str = "evo_1") -> dict[str, Any]:
    mutant = {
        "type": "mutant.accepted",
        "cycle": 1,
        "state": 0,
        "text": "Be a poet.",
        "operator": "x",
        "source": "model",
    }
    ended = {"type": "evolution.ended", "status": status}
    return {"id": id, "status": status, "messages": MESSAGES, "events": [mutant, *events, ended, {"type": "new"}]}
