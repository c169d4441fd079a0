"""Which tests run one after another in one process, where tests run several at a time (`pytest -n 3`).

Those of a file do, because they share what its fixtures started; and those that share what takes long to start do,
wherever they stand. pytest-xdist's own groups (`--dist loadgroup`) are lost under pytest 9.2.
"""

from typing import Any

import pytest

# Parts of the names of tests, by what they share: of vLLM that is also its import, of seconds.
_SHARED = {
    "the stack of real models": (
        "e2e/test_embedded_stack.py",
        "e2e/test_fuzz_engines.py",
        "e2e/test_tracing.py",
        "e2e/test_eval.py::test_real_models",
    ),
    "the stack of simulated models": (
        "e2e/test_eval.py",
        "e2e/test_export.py",
        "e2e/test_first_words.py",
        "e2e/test_logs.py",
        "e2e/test_profiles.py",
        "e2e/test_reasoning.py",
        "e2e/test_replay.py",
        "e2e/test_stack.py",
        "e2e/test_token_shaping.py",
        "e2e/test_tools.py",
    ),
    "the stack that is inspected": ("e2e/inspector/",),
    "the stack that is observed": ("observability/test_dashboards.py", "observability/test_endpoints.py"),
    "vLLM in the tests' own process": (
        "[vllm]",
        "contract/test_scorers.py",
        "contract/test_checkpoints.py::test_vllm",
        "contract/test_templates.py",
        "contract/test_tool_templates.py",
        "unit/generation/test_logit_adjustments.py",
        "unit/generation/test_reasoning.py",
        "unit/generation/test_tool_calls.py",
        "unit/generation/test_vllm_arguments.py",
        "unit/generation/test_vllm_engine.py",
        "unit/shared/test_vllm_core.py",
    ),
    "vLLM's server": ("contract/test_openai_endpoint.py", "[openai-ids", "[openai-text"),
}


def group(name: str) -> str:
    """What the test of this name (its node id) shares with others: its file, unless it is something larger."""
    for shared, parts in _SHARED.items():
        if any(part in name for part in parts):
            return shared
    return name.partition("::")[0]


def scheduler(config: pytest.Config, log: Any) -> Any:
    """pytest-xdist's, with groups as above, in the order in which tests are found: the slow ones come first."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    config.option.loadscopereorder = False
    return Together(config, log)
