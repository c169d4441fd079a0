import asyncio
import gc
import json
import threading
from collections.abc import Sequence
from functools import partial

import pytest

from services.reward import pool as pool_module
from services.reward.bootstrap import build_over, build_rewarder
from services.reward.pool import Create, ScorerPool
from services.reward.profiles import check_tenants, dumped_profile, load_profiles, parse_profile
from services.reward.rewarder import Rewarder
from services.reward.scorer import BlockingScorer, ComponentScore, ScoreItem
from services.reward.settings import RewardSettings
from services.reward.threads import ThreadScorer
from services.reward.validation import ResponseCandidate, ScoringLimits
from services.reward.versions import Built
from services.reward.weighted import Component, Profile
from shared.errors import InvalidRequest, NotFound, Overloaded, Unavailable
from shared.records.evolution import Message
from tests.unit.shared.text.test_schema_bounds import nested

ASK = [Message("user", "Why?")]
ANSWERS = [ResponseCandidate("a", "so")]
GUARD = "components: [{name: guard, type: guard, weight: 1}]"
RULES = f"""
reference: sample.json
components:
  - name: rules
    type: rules
    weight: 2
    checks:
      - {{name: brief, type: length, unit: sentences, max: 2, weight: 2}}
      - {{name: question, type: match, pattern: '\\?\\s*$'}}
      - {{name: rivals, type: banned, terms: [Acme, Globex Corp]}}
      - {{name: cited, type: citations, form: link, min: 1}}
      - {{name: fits, type: json, schema: {json.dumps(nested("items", 60))}}}
      - {{name: english, type: language, languages: [en]}}
      - {{name: plain, type: reading, max: 6}}
  - {{name: guard, type: guard, weight: 0}}
ensembles: [{{name: both, of: [rules, guard], weight: 1, combine: mean-std, k: 1}}]
require: {{rules.rivals: 1}}
"""
MIB = 1024**2


class Scorer:
    """Gives `value`; loading waits for `may_load`, and takes `taken` MiB of the machine's memory."""

    memory = 0

    def __init__(self, value: float, may_load: threading.Event | None = None, taken: int = 0) -> None:
        self.value, self.may_load, self.taken = value, may_load, taken

    def load(self) -> None:
        if self.may_load:
            assert self.may_load.wait(20)
        Scorer.memory += self.taken * MIB

    def close(self) -> None:
        Scorer.memory -= self.taken * MIB

    def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        return [ComponentScore(self.value)] * len(batch)


def creates(name: str, scorer: BlockingScorer) -> Create:
    return partial(ThreadScorer, lambda: scorer, name)


def rewarder_over(versions: dict[str, BlockingScorer]) -> Rewarder:
    """It knows one profile of its own, and builds others from contents by these names."""

    def build(name: str, content: str) -> Built:
        if content not in versions:
            raise InvalidRequest("no such content")
        return Built(Profile(name, "", (Component("one", 1.0, content),)), {content: creates(name, versions[content])})

    own = Profile("own", "", (Component("one", 1.0, "own"),))
    return Rewarder({"own": own}, "own", {"own": creates("own", Scorer(7.0))()}, ScoringLimits(), 16, build)


async def test_a_version_loads_while_others_are_served_and_is_then_served_beside_them() -> None:
    may_load = threading.Event()
    rewarder = rewarder_over({"first": Scorer(1.0), "second": Scorer(2.0, may_load)})
    await rewarder.start()
    first = await rewarder.score(ASK, ANSWERS, "brief@1", content="first")
    loading = asyncio.ensure_future(rewarder.score(ASK, ANSWERS, "brief@2", content="second"))
    with pytest.raises(Unavailable, match="brief@2 are being loaded"):
        await rewarder.score(ASK, ANSWERS, "brief@2", content="second", only_loaded=True)
    for profile, content, reward in (("", "", 7.0), ("brief@1", "first", 1.0)):
        scored = await rewarder.score(ASK, ANSWERS, profile, content=content)
        assert scored.scores[0].reward == reward
    assert not loading.done()
    may_load.set()
    second = await loading
    assert (first.profile, second.profile, second.scores[0].reward) == ("brief@1", "brief@2", 2.0)
    again = await rewarder.score(ASK, ANSWERS, "brief@2", content="second", only_loaded=True)
    assert again.scores[0].reward == 2.0
    await rewarder.stop()


async def test_who_leaves_does_not_stop_the_loading_that_others_wait_for() -> None:
    may_load = threading.Event()
    rewarder = rewarder_over({"first": Scorer(1.0, may_load)})
    await rewarder.start()
    leaving, staying = (asyncio.ensure_future(rewarder.load("brief@1", "first")) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    may_load.set()
    assert (await staying).name == "brief@1"
    await rewarder.stop()


async def test_what_cannot_be_loaded_is_told_and_tried_again() -> None:
    class Broken(Scorer):
        tries = 0

        def load(self) -> None:
            Broken.tries += 1
            if Broken.tries == 1:
                raise NotFound("no such model")

    rewarder = rewarder_over({"first": Broken(1.0)})
    await rewarder.start()
    with pytest.raises(NotFound, match="no such model"):
        await rewarder.load("brief@1", "first")
    assert (await rewarder.load("brief@1", "first")).name == "brief@1"
    with pytest.raises(InvalidRequest, match="no such content"):
        await rewarder.load("brief@1", "other")
    await rewarder.stop()


async def test_no_garbage_is_collected_while_a_model_loads_which_would_hold_up_all_others() -> None:
    seen: list[bool] = []

    class Looking(Scorer):
        def load(self) -> None:
            seen.append(gc.isenabled())
            raise NotFound("no such model")

    rewarder = rewarder_over({"first": Looking(1.0)})
    await rewarder.start()
    with pytest.raises(NotFound):
        await rewarder.load("brief@1", "first")
    assert (seen, gc.isenabled()) == ([False], True)
    await rewarder.stop()


async def test_models_that_nobody_uses_make_room_and_those_in_use_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = ScorerPool(16, 250 * MIB, lambda: Scorer.memory)
    await pool.load({"own": creates("own", Scorer(0.0, taken=100))}, lasting=True)
    await pool.load({"old": creates("old", Scorer(0.0, taken=100))})
    with pytest.raises(Overloaded, match="300 MiB of 250 MiB"):
        await pool.load({"new": creates("new", Scorer(0.0, taken=100))})
    assert (pool.holds(["own", "old"]), pool.holds(["new"]), pool.bytes) == (True, False, 200 * MIB)
    monkeypatch.setattr(pool_module, "IN_USE_S", 0.0)
    with pool.using(["old"]), pytest.raises(Overloaded):
        await pool.load({"new": creates("new", Scorer(0.0, taken=100))})
    await pool.load({"new": creates("new", Scorer(0.0, taken=100))})
    assert (pool.holds(["own", "new"]), pool.holds(["old"]), Scorer.memory) == (True, False, 200 * MIB)
    await pool.close()
    assert Scorer.memory == 0


async def test_a_scorer_that_fails_is_loaded_anew() -> None:
    class Failing(ThreadScorer):
        async def failed(self) -> str:
            await failing.wait()
            return "its engine has ended"

    failing, pool = asyncio.Event(), ScorerPool(16, MIB, lambda: 0)
    await pool.load({"one": lambda: Failing(lambda: Scorer(1.0), "one")})
    watching = pool._held["one"].watching
    assert watching is not None
    failing.set()
    await asyncio.wait([watching], timeout=20)
    assert not pool.holds(["one"])
    with pytest.raises(Unavailable), pool.using(["one"]):
        pass
    await pool.close()


async def test_what_a_call_brings_shares_the_scorers_of_the_services_own_files() -> None:
    rewarder = build_rewarder(RewardSettings(profiles="simulated"))
    await rewarder.start()
    content = rewarder.profiles["simulated"].content
    own = await rewarder.score(ASK, ANSWERS)
    brought = await rewarder.score(ASK, ANSWERS, "simulated@1", content=content, only_loaded=True)
    assert brought.scores == own.scores
    assert brought.cached_tokens == own.computed_tokens
    await rewarder.stop()


@pytest.mark.parametrize("name", ["default", "calibrated", "simulated"])
def test_a_file_and_its_dump_are_the_same_profile(name: str) -> None:
    file = load_profiles([name], None)[name]
    assert parse_profile(dumped_profile(file), name) == file
    assert build_over({name: file}, name, RewardSettings()).profiles[name].content == dumped_profile(file)


def test_so_are_one_with_all_checks_and_its_dump() -> None:
    file = parse_profile(RULES, "rules")
    assert parse_profile(dumped_profile(file), "rules") == file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "profile must be a mapping"),
        ("components: []", "components must hold at least 1"),
        ("[" * 2_000, "more than 80 deep"),
        ("a: " + "1" * 5_000, "cannot be read"),
        ("a: 2001-99-99", "cannot be read"),
        ("a: &a [1]\nb: *a", "aliases"),
        ("components: [{name: a, type: magic, weight: 1}]", "must have a type of"),
        ("{[1]: 2}", "not YAML"),
        ("a: \x00", "not YAML"),
    ],
)
def test_text_that_is_no_profile_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        parse_profile(text, "brief")


@pytest.mark.parametrize(
    ("component", "field"),
    [
        ("type: classifier, model: /models/secret", "components.0.type"),
        ("type: http, api: vllm-classify, url: 'http://10.0.0.1'", "components.0.type"),
        ("type: quality, head: /etc/passwd", "components.0.head"),
        ("type: quality, head: ../../head.safetensors", "components.0.head"),
        ("type: rubric, url: 'http://10.0.0.1/v1', model: a, criteria: [It is kind.]", "components.0.url"),
        ("type: rules, tokenizer: /models, checks: [{name: a, type: banned, terms: [x]}]", "components.0.tokenizer"),
    ],
)
def test_a_tenants_profile_names_nothing_of_the_deployments(component: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_tenants(parse_profile(f"components: [{{name: a, weight: 1, {component}}}]", "brief"))
    assert refused.value.field == field


def test_a_tenants_profile_may_weigh_what_is_shipped() -> None:
    check_tenants(parse_profile(GUARD, "brief"))
    check_tenants(parse_profile("components: [{name: r, type: rubric, weight: 1, criteria: [It is kind.]}]", "kind"))
    check_tenants(parse_profile(RULES.replace("reference: sample.json\n", ""), "brief"))
    check_tenants(load_profiles(["default"], None)["default"])
    with pytest.raises(InvalidRequest, match="length_curve"):
        check_tenants(load_profiles(["calibrated"], None)["calibrated"])
    with pytest.raises(InvalidRequest, match="reference"):
        check_tenants(parse_profile(RULES, "brief"))
