"""What tests/clients says of its programs, without running any."""

import pytest

from tests.clients.environments import Client, clients
from tests.clients.runner import programs, reasons


@pytest.mark.parametrize("client", clients())
def test_a_client_has_programs_that_say_what_they_do(client: str) -> None:
    found = programs([client])
    assert f"{client}/hello" in [program.name for program in found]
    assert all(program.purpose for program in found)


@pytest.mark.parametrize(("client", "needs"), clients().items())
def test_the_gate_leaves_out_programs_that_are_there(client: str, needs: Client) -> None:
    assert set(needs.outside_gate) <= {program.path.stem for program in programs([client])}
    in_gate = {program.path.stem for program in programs([client], gate=True)}
    assert in_gate
    assert not in_gate & set(needs.outside_gate)


def test_single_programs_are_chosen_by_name_and_once() -> None:
    names = [program.name for program in programs(["openai/hello", "llm/hello", "openai/hello", "nobody"])]
    assert names == ["openai/hello", "llm/hello"]


def test_reasons_are_of_programs() -> None:
    assert set(reasons()) <= {program.name for program in programs(list(clients()))}
