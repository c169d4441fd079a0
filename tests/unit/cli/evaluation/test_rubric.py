"""A language model as the judge, against scripted endpoints."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.evaluation.judges import JudgeOptions, named_judges
from cli.evaluation.judging import JudgedResponse, JudgeError
from cli.evaluation.rubric import KEY, Endpoint, chance_of_yes, named_rubric, number_of

PAIRS = [JudgedResponse(({"role": "user", "content": "Hi {response}"},), text) for text in ("fine", "bad")]
Reply = Callable[[dict[str, Any]], httpx.Response]


def endpoint(reply: Reply, calls: list[dict[str, Any]] | None = None) -> Endpoint:
    def handle(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if calls is not None:
            calls.append({**body, "url": str(request.url), "key": request.headers.get("authorization")})
        return reply(body)

    return Endpoint("http://judge/v1/", "big", concurrency=2, transport=httpx.MockTransport(handle))


def says(content: str, tokens: dict[str, float] | None = None) -> httpx.Response:
    top = [{"token": token, "logprob": math.log(chance)} for token, chance in (tokens or {}).items()]
    logprobs = {"content": [{"token": content, "top_logprobs": top}]} if tokens else None
    return httpx.Response(200, json={"choices": [{"message": {"content": content}, "logprobs": logprobs}]})


def test_the_score_is_the_probability_of_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "secret")
    calls: list[dict[str, Any]] = []

    def reply(body: dict[str, Any]) -> httpx.Response:
        good = "grade:\n\nfine" in body["messages"][0]["content"]
        return says("Yes", {" Yes": 0.5, "yes": 0.1, "No": 0.2, "Well": 0.2} if good else {"no": 0.9, "YES": 0.1})

    judge = named_rubric(endpoint(reply, calls))
    assert judge.score(PAIRS) == pytest.approx([0.6 / 0.8, 0.1])
    assert judge.name == "big"
    asked = calls[-1]
    assert (asked["url"], asked["key"]) == ("http://judge/v1/chat/completions", "Bearer secret")
    assert (asked["max_tokens"], asked["logprobs"], asked["temperature"], asked["model"]) == (1, True, 0, "big")
    assert "user: Hi {response}" in asked["messages"][0]["content"], "what a conversation says is not filled in"


@pytest.mark.parametrize("refusing", [True, False])
def test_without_log_probabilities_a_number_is_asked_for(refusing: bool) -> None:
    def reply(body: dict[str, Any]) -> httpx.Response:
        if refusing and "logprobs" in body:
            return httpx.Response(400, json={"error": "logprobs are not supported"})
        return says("7/10" if "fine" in body["messages"][0]["content"] else "Score: 2.5")

    judge = named_rubric(endpoint(reply))
    assert judge.score(PAIRS) == [7.0, 2.5]
    yes = named_rubric(endpoint(lambda body: says("yes", {"yes": 1.0})))
    assert judge.digest != yes.digest, "scores on another scale are another judge's"


def test_what_passes_is_tried_again_and_what_does_not_is_told() -> None:
    answers = iter([httpx.Response(503), says("yes", {"yes": 1.0})])
    judge = named_rubric(endpoint(lambda body: next(answers, says("yes", {"yes": 1.0}))))
    assert judge.score(PAIRS) == [1.0, 1.0]
    with pytest.raises(JudgeError, match=r"refuses \(401\): no key"):
        named_rubric(endpoint(lambda body: httpx.Response(401, text="no key")))
    with pytest.raises(JudgeError, match=r"number from 1 to 10 and says 'Sure!'; for log probabilities: it gives none"):
        named_rubric(endpoint(lambda body: says("Sure!")))
    with pytest.raises(JudgeError, match="gives no choices"):
        named_rubric(endpoint(lambda body: httpx.Response(200, json={"error": "?"})))


def test_answers_that_cannot_be_read_are_shown() -> None:
    choice = says("Well", {"Well": 0.6, "Hm": 0.4}).json()["choices"][0]
    with pytest.raises(JudgeError, match="neither yes nor no, but 'Well', 'Hm'"):
        chance_of_yes(choice)
    with pytest.raises(JudgeError, match="gives no log probabilities"):
        chance_of_yes({"logprobs": {"content": []}})
    assert [number_of(text) for text in ("10", " 3.5 of 10", "**4**")] == [10.0, 3.5, 4.0]
    for text in ("0", "11", "none", None):
        with pytest.raises(JudgeError, match="from 1 to 10"):
            number_of(text)


def test_a_rubric_must_say_where_the_answer_stands(tmp_path: Path) -> None:
    rubric = tmp_path / "mine.txt"
    rubric.write_text("Is {response} good?")
    with pytest.raises(JudgeError, match=r"must say where the answer to judge stands: \{conversation\}"):
        named_rubric(endpoint(lambda body: says("yes", {"yes": 1.0})), rubric)
    with pytest.raises(JudgeError, match="--judge-rubric"):
        named_rubric(endpoint(lambda body: says("yes", {"yes": 1.0})), tmp_path / "none.txt")
    rubric.write_text("{conversation} {response}")
    judges = [named_rubric(endpoint(lambda body: says("yes", {"yes": 1.0})), *given) for given in ((), (rubric,))]
    assert judges[0].digest != judges[1].digest


def test_judges_are_named_by_their_options() -> None:
    found = named_judges(JudgeOptions(profiles=["guard", "strict=guard"], commands=["mine=true", "env A=1 true"]))
    assert [judge.name for judge in found] == ["guard", "strict", "mine", "env A=1 true"]
    assert found[0].digest == found[1].digest
    assert named_judges(JudgeOptions()) == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (JudgeOptions(profiles=["guard", "guard"]), "two judges are called guard: name one of them, as LABEL=guard"),
        (JudgeOptions(endpoint="http://x/v1"), "--judge-endpoint and --judge-model"),
        (JudgeOptions(rubric=Path("x")), "--judge-endpoint and --judge-model"),
        (JudgeOptions(version="2"), "is of a judge"),
    ],
)
def test_options_that_lack_something_are_refused(options: JudgeOptions, complaint: str) -> None:
    with pytest.raises(JudgeError, match=complaint):
        named_judges(options)
