"""A conversation is sent once a call, and each prompt tokenised once a search."""

import pytest

from bench import prompts

CHARACTERS, MUTANTS, ROUNDS = 6000, 4, 3
SEQUENCES = MUTANTS + 1


@pytest.mark.parametrize(
    ("apart", "conversations", "encoded"), [(True, SEQUENCES, SEQUENCES * ROUNDS), (False, 1, SEQUENCES)]
)
async def test_what_a_search_sends_and_tokenises(apart: bool, conversations: int, encoded: int) -> None:
    sent, times, _ = await prompts.measured(CHARACTERS, MUTANTS, ROUNDS, apart=apart)
    assert times == encoded
    assert conversations * CHARACTERS <= sent < (conversations + 0.5 * conversations) * CHARACTERS
