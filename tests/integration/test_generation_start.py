"""A model that cannot be served ends the process at its start, with one sentence that names the setting."""

import json
import os
import subprocess
import sys
from pathlib import Path


def started(folder: Path, ready: Path) -> subprocess.Popen[str]:
    env = {
        "DARWIN_GENERATION_LISTEN": "127.0.0.1:0",
        "DARWIN_GENERATION_ENGINE": "transformers",
        "DARWIN_GENERATION_MODEL": str(folder),
        "DARWIN_READY_FILE": str(ready),
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, "-m", "services.generation"]
    return subprocess.Popen(command, env=os.environ | env, stderr=subprocess.PIPE, text=True)


def test_it_is_said_in_one_sentence(tmp_path: Path) -> None:
    unknown = tmp_path / "unknown"
    unknown.mkdir()
    (unknown / "config.json").write_text(json.dumps({"model_type": "zorblax", "architectures": ["ZorblaxForCausalLM"]}))
    expected = {tmp_path / "nowhere": "nowhere", unknown: "zorblax"}
    processes = {folder: started(folder, tmp_path / f"{folder.name}.ready") for folder in expected}
    for folder, process in processes.items():
        _, said = process.communicate(timeout=300)
        assert process.returncode == 1
        assert "Traceback" not in said
        *logged, last = said.splitlines()
        assert last.startswith("generation: DARWIN_GENERATION_MODEL: ")
        assert expected[folder] in last
        assert not any(json.loads(line)["message"] == "ready" for line in logged if line.startswith("{"))
