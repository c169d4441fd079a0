import pytest

from services.mutation.model import (
    MAX_CONVERSATION_CHARS,
    MAX_EXCLUDED,
    MAX_MESSAGES,
    MAX_PARENT_CHARS,
    ChatMessage,
    MutationRequest,
)
from shared.errors import InvalidRequest

USER = ChatMessage("user", "Name a river.")


def test_the_original_is_the_last_user_turn() -> None:
    turns = (ChatMessage("system", "Be kind."), ChatMessage("user", "Hi"), ChatMessage("assistant", "Hello"), USER)
    assert MutationRequest(turns, "x", 64).original == "Name a river."


@pytest.mark.parametrize(
    ("field", "messages", "parent", "count", "exclude"),
    [
        ("messages", (), "x", 5, ()),
        ("messages", (ChatMessage("assistant", "Hi"),), "x", 5, ()),
        ("messages", (ChatMessage("user", " \n"),), "x", 5, ()),
        ("messages", (USER,) * (MAX_MESSAGES + 1), "x", 5, ()),
        ("messages", (ChatMessage("user", "x" * (MAX_CONVERSATION_CHARS + 1)),), "x", 5, ()),
        ("messages[0].role", (ChatMessage("tool", "Hi"), USER), "x", 5, ()),
        ("parent", (USER,), "  ", 5, ()),
        ("parent", (USER,), "x" * (MAX_PARENT_CHARS + 1), 5, ()),
        ("count", (USER,), "x", 0, ()),
        ("count", (USER,), "x", 65, ()),
        ("exclude", (USER,), "x", 5, ("y",) * (MAX_EXCLUDED + 1)),
    ],
)
def test_limits(
    field: str, messages: tuple[ChatMessage, ...], parent: str, count: int, exclude: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        MutationRequest(messages, parent, count, exclude)
    assert raised.value.field == field
