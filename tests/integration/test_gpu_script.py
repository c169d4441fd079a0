import os
import subprocess
import sys


def test_without_a_gpu_it_says_so_and_ends_well() -> None:
    env = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, "-m", "tests.gpu"], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0
    assert "no GPU" in done.stdout
    assert len(done.stdout.splitlines()) == 1
