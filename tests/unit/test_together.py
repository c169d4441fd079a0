"""What `make test` runs one after another in one process."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.together import group

ROOT = Path(__file__).parents[2]


def taking(folder: str, fixture: str) -> Iterator[str]:
    """The names of tests that take the fixture themselves."""
    for file in (ROOT / "tests" / folder).rglob("test_*.py"):
        for found in re.finditer(rf"def (test_\w+)\([^)]*\b{fixture}: ", file.read_text()):
            yield f"{file.relative_to(ROOT)}::{found[1]}"


@pytest.mark.parametrize(
    ("folder", "fixture", "shared"),
    [
        ("e2e", "stack", "the stack of real models"),
        ("e2e", "simulated_stack", "the stack of simulated models"),
        ("e2e/inspector", "visit", "the stack that is inspected"),
        ("observability", "workload", "the stack that is observed"),
        ("observability", "prometheus", "the stack that is observed"),
        ("contract", "vllm_server", "vLLM's server"),
    ],
)
def test_tests_that_share_what_is_slow_to_start_are_in_one_process(folder: str, fixture: str, shared: str) -> None:
    names = list(taking(folder, fixture))
    assert names
    assert {name: group(name) for name in names} == dict.fromkeys(names, shared)


def test_an_engine_behind_the_server_is_apart_from_the_others_of_its_file() -> None:
    file = "tests/contract/test_engines.py"
    assert group(f"{file}::test_a[openai-ids]") == group(f"{file}::test_b[openai-text-user]") == "vLLM's server"
    assert group(f"{file}::test_a[vllm]") == "vLLM in the tests' own process"
    assert group(f"{file}::test_a[transformers]") == group(f"{file}::test_b[simulated-user]") == file
