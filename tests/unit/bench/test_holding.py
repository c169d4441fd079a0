import subprocess
import sys
import time

from bench.scale.holding import held, ran_s


def test_a_busy_process_is_held_to_its_share_and_let_go_again() -> None:
    with subprocess.Popen((sys.executable, "-c", "while True: pass")) as busy:
        with held([busy.pid], 0.1):
            before, began = ran_s(busy.pid), time.monotonic()
            time.sleep(0.5)
            share = (ran_s(busy.pid) - before) / (time.monotonic() - began)
        before, give_up = ran_s(busy.pid), time.monotonic() + 20
        while ran_s(busy.pid) < before + 0.1 and time.monotonic() < give_up:
            time.sleep(0.01)
        freed = ran_s(busy.pid) - before
        busy.kill()
    assert share < 0.2
    assert freed >= 0.1
