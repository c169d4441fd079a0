"""Functions of Python that the model may call."""

import json
import os
import subprocess
from pathlib import Path

ABLE = {"supports_tools": True}
home = Path.home() / "llm"
home.mkdir()
model = {"model_id": "mine", "model_name": os.environ["MODEL"], "api_base": os.environ["OPENAI_BASE_URL"], **ABLE}
(home / "extra-openai-models.yaml").write_text(json.dumps([model]))
environment = {**os.environ, "LLM_USER_PATH": str(home)}
function = 'def multiply(x: int, y: int) -> int:\n    "Multiply two numbers."\n    return x * y\n'
for more in ((), ("--no-stream",)):
    command = ["llm", "-m", "mine", "-o", "max_tokens", "100", *more, "--functions", function, "How much is 6 times 7?"]
    assert subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()
