"""The client as a library: an answer, a stream, and the usage."""

import json
import os
from pathlib import Path

home = Path.home() / "llm"
home.mkdir()
os.environ["LLM_USER_PATH"] = str(home)
model = {"model_id": "mine", "model_name": os.environ["MODEL"], "api_base": os.environ["OPENAI_BASE_URL"]}
(home / "extra-openai-models.yaml").write_text(json.dumps([model]))

import llm  # noqa: E402

conversation = llm.get_model("mine").conversation()
assert "".join(conversation.prompt("Describe the sea.", system="Be brief.", max_tokens=32))
answer = conversation.prompt("And a mountain?", stream=False, max_tokens=16)
assert answer.text()
assert answer.usage().output > 0
