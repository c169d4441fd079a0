"""What is asked of the system, one step after another; a step returns what it saw, or raises."""

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.compose.system import System

PROMPT = "Why do we write tests before we refactor? Answer in at most two sentences, in plain words."
SEARCH = {"cycles": 1, "mutants": 3, "period": 20}
TOKENS = 60
ENDS_WITHIN_S = 240.0
_SCORED = re.compile(
    r'^rpc_server_call_duration_seconds_count\{.*rpc_method="darwin.v1.RewardService/[^"]*".*\} (\S+)$', re.M
)

Step = tuple[str, Callable[[], str]]


class Failed(Exception):
    """Something was not as it must be."""


def must(true: bool, otherwise: str) -> None:
    if not true:
        raise Failed(otherwise)


class Steps:
    """The steps share a key and the ids of evolutions."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._key = ""
        self._first = ""

    def __iter__(self) -> Iterator[Step]:
        yield "docker compose up", self.up
        yield "make an API key", self.make_key
        yield "one aligned answer through the OpenAI SDK", self.answer
        yield "only the gateway is reached, from this machine", self.ports
        yield "Redis restarts with what it had", self.redis_restarts
        yield "scale reward to 2", self.scale
        yield "kill one reward container under load", self.kill
        yield "no secret in docker inspect or logs", self.secrets
        yield "stop: exit code 0, everywhere", self.stop

    def up(self) -> str:
        began = time.monotonic()
        self._system.up()
        return f"{len(self._system.containers())} containers, healthy after {time.monotonic() - began:.0f} s"

    def make_key(self) -> str:
        with self._system.http() as http:
            refused = http.post("/v1/chat/completions", json={}).status_code
        must(refused == 401, f"without a key: {refused}, not 401")
        self._key = self._system.key("me")
        must(len(self._key) > 20, "no key was printed")
        return "made; without it: 401"

    def answer(self) -> str:
        completion = self._system.client(self._key).chat.completions.create(
            model="darwin",
            messages=[{"role": "user", "content": PROMPT}],
            max_tokens=TOKENS,
            extra_body={"darwin": SEARCH},
        )
        usage = completion.usage
        must(usage is not None and usage.model_extra is not None, "the answer tells no usage")
        assert usage is not None
        told = (usage.model_extra or {})["darwin"]
        text = completion.choices[0].message.content or ""
        must(len(text.split()) > 5, f"an answer of {text!r}")
        must(told["reward"] >= told["base_reward"], f"reward {told['reward']} below the base {told['base_reward']}")
        self._first = told["evolution_id"]
        return f"reward {told['reward']:+.2f} (base {told['base_reward']:+.2f}): {' '.join(text.split())[:60]}…"

    def ports(self) -> str:
        published = []
        for container in self._system.containers():
            details = self._system.details(container)
            for port, bindings in (details["NetworkSettings"]["Ports"] or {}).items():
                published += [(details["Name"], port, binding["HostIp"]) for binding in bindings or ()]
        must(
            [(port, host) for _, port, host in published] == [("8080/tcp", "127.0.0.1")],
            f"published: {published}",
        )
        return f"{published[0][0].strip('/')} on 127.0.0.1"

    def redis_restarts(self) -> str:
        self._system.compose("restart", "redis")
        self._system.up("--no-recreate")
        with self._system.http(self._key) as http:
            found = http.get(f"/v1/evolutions/{self._first}")
        must(found.status_code == 200, f"the evolution before it: {found.status_code}")
        must(found.json()["status"] == "succeeded", "the evolution before it has another status")
        return "key and evolution are still there"

    def scale(self) -> str:
        self._system.up("--scale", "reward=2", "--no-recreate")
        containers = self._system.containers("reward")
        must(len(containers) == 2, f"{len(containers)} containers")
        before = [self._scored(container) for container in containers]
        self._all_succeed(4)
        calls = [self._scored(container) - was for container, was in zip(containers, before, strict=True)]
        must(min(calls) > 0, f"calls of each replica: {calls}; one gets none")
        return f"calls of each replica: {calls}"

    def kill(self) -> str:
        victim = self._system.containers("reward")[0]
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(self._all_succeed, 6)
            time.sleep(3)
            must(not running.done(), "nothing ran any more when it was to be killed")
            self._system.kill(victim)
            running.result()
        must(self._system.details(victim)["State"]["ExitCode"] == 137, "it was not killed")
        self._system.start(victim)
        self._system.up("--scale", "reward=2", "--no-recreate")
        return "6 of 6 evolutions succeeded"

    def secrets(self) -> str:
        url = self._system.compose("exec", "-T", "gateway", "cat", "/run/secrets/darwin/darwin_redis_url")
        password = url.partition("redis://:")[2].partition("@")[0]
        must(len(password) > 30, "the password cannot be read where it should be")
        places = {"logs": self._system.logs()}
        for container in self._system.containers():
            details = self._system.details(container)
            places[f"inspect {details['Name']}"] = json.dumps(details)
        for secret in (password, self._key):
            leaks = [name for name, text in places.items() if secret in text]
            must(not leaks, f"a secret is in: {leaks}")
        must(PROMPT not in places["logs"], "the prompt is in the logs")
        return f"neither password nor key nor prompt, in {len(places) - 1} containers and their logs"

    def stop(self) -> str:
        began = time.monotonic()
        self._system.compose("stop", timeout_s=300)
        states = {}
        for container in self._system.containers():
            details = self._system.details(container)
            states[details["Name"].removeprefix("/")] = details["State"]
        must(len(states) >= 9, f"only {sorted(states)}")
        bad = {name: state["ExitCode"] for name, state in states.items() if state["ExitCode"] or state["OOMKilled"]}
        must(not bad, f"exit codes: {bad}")
        return f"{len(states)} containers in {time.monotonic() - began:.0f} s"

    def _scored(self, container: str) -> float:
        """Calls that a reward container has answered."""
        return sum(float(found) for found in _SCORED.findall(self._system.metrics(container)))

    def _all_succeed(self, count: int) -> None:
        """Starts evolutions and waits for their ends.

        Raises:
            Failed: one did not end well.
        """
        body = {
            "model": "darwin",
            "messages": [{"role": "user", "content": PROMPT}],
            "max_tokens": TOKENS,
            "darwin": SEARCH,
        }
        with self._system.http(self._key) as http:
            ids = [http.post("/v1/evolutions", json=body).raise_for_status().json()["id"] for _ in range(count)]
            give_up = time.monotonic() + ENDS_WITHIN_S
            ends: dict[str, str] = {}
            while len(ends) < count:
                must(time.monotonic() < give_up, f"{count - len(ends)} of {count} evolutions still run")
                for evolution in set(ids) - ends.keys():
                    status = http.get(f"/v1/evolutions/{evolution}").raise_for_status().json()["status"]
                    if status not in ("queued", "running"):
                        ends[evolution] = status
                time.sleep(0.5)
        must(set(ends.values()) == {"succeeded"}, f"ends: {sorted(ends.values())}")
