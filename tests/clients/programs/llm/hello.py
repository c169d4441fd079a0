"""The command line `llm`, with a model of its file for servers like OpenAI's."""

import json
import os
import subprocess
from pathlib import Path

home = Path.home() / "llm"
home.mkdir()
model = {"model_id": "mine", "model_name": os.environ["MODEL"], "api_base": os.environ["OPENAI_BASE_URL"]}
(home / "extra-openai-models.yaml").write_text(json.dumps([model]))
environment = {**os.environ, "LLM_USER_PATH": str(home)}
for more in ((), ("--no-stream",)):
    command = ["llm", "-m", "mine", "-o", "max_tokens", "16", *more, "Say hello."]
    assert subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()
