"""The light ones of tests/clients against a stack with simulated models; `make clients` runs all of them."""

from collections.abc import Iterator

import pytest

from tests.clients.__main__ import MODEL, darwin
from tests.clients.environments import NotInstalled
from tests.clients.runner import programs, run_in_forks


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with darwin("simulated") as url:
        yield url


# What fails today, and the words that must stand in its reason. Whoever makes one work takes it out.
_KNOWN = {
    # Some of its tests want arguments of a call, or a call at all, that simulated models do not come to.
    "langchain/standard_suite": "answered with 400: none",
    # It asks for any JSON object and describes the fields in the conversation, which simulated models do not read.
    "instructor/structured": "InstructorRetryException",
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("client", ["openai", "langchain", "litellm", "instructor", "autogen"])
def test_the_programs_of_a_client_work(client: str, base_url: str) -> None:
    """All but those that are known to fail, which fail for the reason that is known."""
    try:
        outcomes = run_in_forks(client, programs([client], gate=True), base_url, MODEL)
    except NotInstalled as error:
        pytest.skip(f"{client} cannot be installed here: {error}")
    found = {name: outcome.reason for name, outcome in outcomes.items()}
    unknown = {name: reason for name, reason in found.items() if reason and _KNOWN.get(name, "\n") not in reason}
    assert not unknown
    works_now = [name for name in _KNOWN if name in found and found[name] is None]
    assert not works_now
