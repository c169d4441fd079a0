"""A model of the older completions API, as the client's file names it."""

import json
import os
import subprocess
from pathlib import Path

ABLE = {"completion": True}
home = Path.home() / "llm"
home.mkdir()
model = {"model_id": "mine", "model_name": os.environ["MODEL"], "api_base": os.environ["OPENAI_BASE_URL"], **ABLE}
(home / "extra-openai-models.yaml").write_text(json.dumps([model]))
environment = {**os.environ, "LLM_USER_PATH": str(home)}
command = ["llm", "-m", "mine", "-o", "max_tokens", "16", "The sea is"]
assert subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()
