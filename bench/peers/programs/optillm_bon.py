"""optillm's best-of-n, in which the model itself rates its responses.

`import optillm` starts by importing its server, with all methods' requirements. Its best-of-n is one module, which is
imported here without that.
"""

import importlib.util
import sys
import types

import wire
from openai import OpenAI

OPTIONS = wire.options()
SPEC = importlib.util.find_spec("optillm")
assert SPEC is not None
assert SPEC.submodule_search_locations is not None
PACKAGE = types.ModuleType("optillm")
PACKAGE.__path__ = list(SPEC.submodule_search_locations)
PACKAGE.conversation_logger = None
sys.modules["optillm"] = PACKAGE

from optillm.bon import best_of_n_sampling  # noqa: E402

CLIENT = OpenAI(base_url=OPTIONS.server, api_key="none")


def answer(prompt: str) -> str:
    limits = {"max_tokens": OPTIONS.max_tokens}
    text, _ = best_of_n_sampling("", prompt, CLIENT, OPTIONS.model, n=OPTIONS.n, request_config=limits)
    return text


wire.serve(answer)
