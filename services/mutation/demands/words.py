"""The shape of a language's lists. All are regular expressions over text as `folded` leaves it."""

from dataclasses import dataclass

from services.mutation.demands.kinds import Demand


@dataclass(frozen=True)
class Words:
    """How one language demands a form.

    `patterns` finds demands. `task` finds, in a system prompt, a task for every text of the user's; `always`, in an
    earlier turn, that its demands hold on; `follows`, at the start of a turn, that it goes on with the one before;
    `opens` that a request for a list wants more than its items.
    """

    patterns: dict[Demand, str]
    task: str
    always: str
    follows: str
    opens: str
