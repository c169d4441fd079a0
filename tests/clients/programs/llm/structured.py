"""An answer in the shape that the command line names."""

import json
import os
import subprocess
from pathlib import Path

ABLE = {"supports_schema": True}
home = Path.home() / "llm"
home.mkdir()
model = {"model_id": "mine", "model_name": os.environ["MODEL"], "api_base": os.environ["OPENAI_BASE_URL"], **ABLE}
(home / "extra-openai-models.yaml").write_text(json.dumps([model]))
environment = {**os.environ, "LLM_USER_PATH": str(home)}
for more in ((), ("--no-stream",)):
    command = ["llm", "-m", "mine", "-o", "max_tokens", "400", *more, "--schema", "name, age int", "Invent a dog."]
    written = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert isinstance(json.loads(written)["age"], int)
