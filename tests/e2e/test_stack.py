"""Starting and stopping: two stacks at once, busy ports, failures, clean ends."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from typer.testing import CliRunner

from cli.client import Client
from cli.main import app
from cli.stack import Stack, StackError, StackSettings
from cli.stack.folder import OwnedFolder

BODY = {"model": "darwin", "messages": [{"role": "user", "content": "Name a colour."}], "max_tokens": 40}


def simulated(port: int = 0) -> Stack:
    return Stack(StackSettings.simulated(port=port))


def answered(url: str) -> bool:
    with Client(url) as client:
        started = client.start(BODY)
        assert list(client.events(started["id"]))
        return bool(client.get(started["id"])["status"] == "succeeded")


def test_two_stacks_run_side_by_side_on_ports_of_their_own_and_leave_nothing_behind(simulated_stack: Stack) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with simulated(port) as other:
            pids, folder = other.pids, other.folder
            assert other.url != simulated_stack.url
            assert not other.url.endswith(f":{port}")
            assert answered(other.url)
            assert answered(simulated_stack.url)
            assert set(other.stop().values()) == {0}
    assert not [name for name, pid in pids.items() if psutil.pid_exists(pid)]
    assert not folder.exists()


def test_mutants_without_room_fail_no_search_and_a_conversation_without_room_does_at_once(
    simulated_stack: Stack,
) -> None:
    context = 8192
    with Client(simulated_stack.url) as client:
        for words, status in ((context - 4, "succeeded"), (context, "failed")):
            messages = [{"role": "user", "content": "and " * (words - 2) + "now."}]
            started = client.start(BODY | {"messages": messages})
            assert list(client.events(started["id"]))
            ended = client.get(started["id"])
            assert ended["status"] == status, ended
        assert (ended["error"]["code"], ended["error"]["field"]) == ("ContextLengthExceeded", "messages")
        assert f"maximum context length is {context} tokens" in ended["error"]["message"]


def test_a_process_that_cannot_start_is_named_with_its_log() -> None:
    with (
        pytest.raises(StackError, match="reward ended with exit code") as failed,
        Stack(StackSettings.simulated({"DARWIN_REWARD_PROFILES": "no-such-profile"})),
    ):
        pass
    assert "no-such-profile" in str(failed.value)


def test_many_evolutions_at_once_all_end(simulated_stack: Stack) -> None:
    with ThreadPoolExecutor(24) as pool:
        assert all(pool.map(lambda _: answered(simulated_stack.url), range(48)))


def test_processes_that_were_ended_start_again_on_their_addresses() -> None:
    with Stack(StackSettings.simulated(workers=2)) as stack:
        names = list(stack.pids)
        assert {"orchestrator", "orchestrator-2"} < set(names)
        with Client(stack.url) as client:
            before = client.start(BODY)["id"]
            for name in names:
                if name == "redis":
                    stack.kill(name)
                else:
                    assert stack.terminate(name) == 0
                assert name not in stack.pids
                stack.check()
                stack.restart(name)
                stack.await_ready(name)
            assert client.get(before)["id"] == before
        assert answered(stack.url)
        with pytest.raises(StackError, match="runs already"):
            stack.restart("reward")
        # A stopped process ends with the stack too.
        stack.signal("reward", signal.SIGSTOP)
        assert set(stack.stop().values()) == {0}


def test_folders_whose_owner_was_killed_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    owned, abandoned, foreign = OwnedFolder(), tmp_path / "darwin-abandoned", tmp_path / "darwin-foreign"
    for folder in (abandoned, foreign):
        folder.mkdir()
    (abandoned / "owner.lock").touch()
    for folder in (owned.path, abandoned):
        os.utime(folder / "owner.lock", (0, 0))
    another = OwnedFolder()
    assert sorted(tmp_path.iterdir()) == sorted([owned.path, another.path, foreign])
    another.remove()
    owned.remove()
    assert list(tmp_path.iterdir()) == [foreign]


def test_up_prints_a_curl_that_works_and_ctrl_c_stops_everything(tmp_path: Path) -> None:
    env = {**StackSettings.simulated().env, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "cli.main", "up", "--engine", "simulated", "--port"]
    with (
        socket.create_server(("127.0.0.1", 0)) as busy,
        subprocess.Popen(
            [*command, str(busy.getsockname()[1])],
            stdout=subprocess.PIPE,
            text=True,
            env=env,
            start_new_session=True,
            # Tests that run in a shell's background were told to ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as up,
    ):
        assert up.stdout is not None
        lines: list[str] = []
        while not any("Ctrl-C stops it" in line for line in lines):
            line = up.stdout.readline()
            assert line, "".join(lines)
            lines.append(line)
        printed = "".join(lines)
        assert "is busy" in printed
        metrics = dict(re.findall(r"  (\w+): (http://\S+/metrics)", printed))
        assert set(metrics) == {"gateway", "orchestrator", "mutation", "generation", "reward"}
        assert "target_info" in httpx.get(metrics["gateway"]).text
        targets = re.search(r"discover: (\S+)", printed)
        assert targets is not None
        groups = json.loads(Path(targets[1]).read_text())
        assert {f"http://{group['targets'][0]}/metrics" for group in groups} == set(metrics.values())
        keys = re.search(r"DARWIN_REDIS_URL=(\S+) darwin keys add", printed)
        assert keys is not None
        found = CliRunner().invoke(app, ["keys", "list", "--json"], env={"DARWIN_REDIS_URL": keys[1]})
        assert (found.exit_code, found.stdout) == (0, "[]\n")
        curl = printed[printed.index("curl") : printed.index("OpenAI SDK")]
        answer = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, check=True, timeout=60)
        assert '"object":"chat.completion"' in answer.stdout
        assert "gpt-4o-mini and any other model name are answered by darwin" in printed
        url = re.search(r"base_url: (\S+)", printed)
        assert url is not None
        other = httpx.post(f"{url[1]}/chat/completions", json=BODY | {"model": "gpt-4o-mini"}, timeout=60).json()
        assert (other["model"], other["usage"]["darwin"]["method"]) == ("gpt-4o-mini", "darwin")
        children = psutil.Process(up.pid).children(recursive=True)
        assert len(children) >= 6
        up.send_signal(signal.SIGINT)
        rest = up.stdout.read()
        assert up.wait(60) == 0, rest
    assert "stopped 6 processes cleanly" in rest
    assert not [child for child in children if child.is_running()]


def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import time; from cli.stack import Stack, StackSettings\n"
        "with Stack(StackSettings.simulated()):\n"
        "    print('up', flush=True); time.sleep(99)"
    )
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=env) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().strip() == "up"
        children = psutil.Process(parent.pid).children(recursive=True)
        parent.kill()
    give_up = time.monotonic() + 30
    while any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children):
        assert time.monotonic() < give_up, [child for child in children if child.is_running()]
        time.sleep(0.1)
