"""Conversations as the tests write them."""

from shared.records.evolution import Message


def user(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


def system(demand: str, text: str) -> tuple[Message, ...]:
    return (Message("system", demand), Message("user", text))


def talk(*turns: str) -> tuple[Message, ...]:
    return tuple(Message("assistant" if index % 2 else "user", turn) for index, turn in enumerate(turns))
