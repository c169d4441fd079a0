"""A conversation on the command line, which goes on from the last answer."""

import json
import os
import subprocess
from pathlib import Path

ABLE = {}
home = Path.home() / "llm"
home.mkdir()
model = {"model_id": "mine", "model_name": os.environ["MODEL"], "api_base": os.environ["OPENAI_BASE_URL"], **ABLE}
(home / "extra-openai-models.yaml").write_text(json.dumps([model]))
environment = {**os.environ, "LLM_USER_PATH": str(home)}
for more in (("-s", "Be brief.", "Name a colour."), ("-c", "And another one?")):
    command = ["llm", "-m", "mine", "-o", "max_tokens", "16", *more]
    assert subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()
logs = subprocess.run(["llm", "logs", "--json"], env=environment, check=True, capture_output=True, text=True).stdout
assert len({entry["conversation_id"] for entry in json.loads(logs)}) == 1
