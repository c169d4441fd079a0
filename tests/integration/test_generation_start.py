"""A model that cannot be served ends the process at its start, with one sentence that names the setting; which ones
cannot is shown by contract/test_checkpoints and unit/generation/test_loading.
"""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_it_is_said_in_one_sentence(tmp_path: Path) -> None:
    unknown = tmp_path / "unknown"
    unknown.mkdir()
    (unknown / "config.json").write_text(json.dumps({"model_type": "zorblax", "architectures": ["ZorblaxForCausalLM"]}))
    env = {
        "DARWIN_GENERATION_LISTEN": "127.0.0.1:0",
        "DARWIN_GENERATION_ENGINE": "transformers",
        "DARWIN_GENERATION_MODEL": str(unknown),
        "DARWIN_READY_FILE": str(tmp_path / "ready"),
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, "-m", "services.generation"]
    ended = subprocess.run(command, env=os.environ | env, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    *logged, last = ended.stderr.splitlines()
    assert last.startswith("generation: DARWIN_GENERATION_MODEL: ")
    assert "zorblax" in last
    assert not any(json.loads(line)["message"] == "ready" for line in logged if line.startswith("{"))
