"""Short ways to write conversations in tests."""

from services.reward.scorer import Conversation
from shared.records.evolution import Message


def dialogue(*turns: str) -> Conversation:
    """A conversation of alternating user and assistant turns."""
    roles = ("user", "assistant")
    return Conversation(tuple(Message(roles[index % 2], turn) for index, turn in enumerate(turns)))
