"""A language model as the judge, asked by a rubric at any OpenAI-compatible endpoint.

Where the endpoint gives log probabilities, the model is asked for "yes" or "no", and the score is the probability of
"yes" among the two at the first token of its answer, so that it is fine-grained and needs one token. Elsewhere the
model is asked for a number from 1 to 10.
"""

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from cli.evaluation.judging import JudgedResponse, JudgeError, NamedJudge, digest_of
from services.reward.judges import judge as first_words
from shared.process.certificates import is_local

RUBRIC = Path(__file__).parent / "rubric.txt"
"""The rubric that ships: what makes an answer good, and that length is no merit."""
KEY = "DARWIN_JUDGE_KEY"
"""The environment variable with the endpoint's key."""
_FIELDS = ("{conversation}", "{response}")
_YES_NO = "\n\nIs this a good response by these criteria? Answer with one word, yes or no."
_NUMBER = "\n\nHow good is this response by these criteria, from 1 (worst) to 10 (best)? Answer with the number alone."
_TRIAL = JudgedResponse(({"role": "user", "content": "Name a fruit."},), "An apple.")
_TRIES = 5
_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Endpoint:
    """Where the model is: `url` ends before /chat/completions. At most `concurrency` requests are under way at once."""

    url: str
    model: str
    concurrency: int = 8
    transport: httpx.BaseTransport | None = None


def named_rubric(endpoint: Endpoint, rubric: Path = RUBRIC, version: str = "", name: str | None = None) -> NamedJudge:
    """The judge that is a model under a rubric, called `name` or as the model is.

    What it is, is the URL, the model's name, the rubric, the way of asking and `version`. Asks the endpoint once.

    Raises:
        JudgeError: the rubric cannot be read or lacks a field, or the endpoint does not answer as it should.
    """
    try:
        text = rubric.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise JudgeError(f"--judge-rubric {rubric}: {error}") from error
    if missing := [field for field in _FIELDS if field not in text]:
        raise JudgeError(f"--judge-rubric {rubric} must say where the answer to judge stands: {' and '.join(missing)}")
    judge = RubricJudge(endpoint, text)
    digest = digest_of(endpoint.url, endpoint.model, text, judge.question, version)
    return NamedJudge(name or endpoint.model, digest, judge, batch=8 * endpoint.concurrency)


class RubricJudge:
    """Scores responses: P(yes) in [0, 1], or a number from 1 to 10; `question` is which of them is asked for.

    Raises:
        JudgeError: the endpoint refuses, cannot be reached, or answers neither.
    """

    def __init__(self, endpoint: Endpoint, rubric: str) -> None:
        self._endpoint = endpoint
        self._rubric = rubric
        self.question = _YES_NO
        choice, refusal = self._asked_for_yes()
        if choice is None or not (choice.get("logprobs") or {}).get("content"):
            self.question = _NUMBER
            try:
                self([_TRIAL])
            except JudgeError as error:
                raise JudgeError(f"{error}; for log probabilities: {refusal or 'it gives none'}") from error

    def __call__(self, pairs: Sequence[JudgedResponse]) -> list[float]:
        with self._client() as client, ThreadPoolExecutor(self._endpoint.concurrency, "judge") as pool:
            try:
                return list(pool.map(lambda pair: self._score(client, pair), pairs))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _asked_for_yes(self) -> tuple[dict[str, Any] | None, str]:
        """The trial's answer with log probabilities; None where such a request is refused, and why."""
        with self._client() as client:
            try:
                return self._choice(client, _TRIAL), ""
            except JudgeError as error:
                return None, str(error)

    def _client(self) -> httpx.Client:
        key = os.environ.get(KEY)
        return httpx.Client(
            timeout=_TIMEOUT_S,
            transport=self._endpoint.transport,
            trust_env=not is_local(f"{httpx.URL(self._endpoint.url).host}:"),
            headers={"authorization": f"Bearer {key}"} if key else {},
        )

    def _score(self, client: httpx.Client, pair: JudgedResponse) -> float:
        choice = self._choice(client, pair)
        if self.question == _NUMBER:
            return number_of((choice.get("message") or {}).get("content"))
        return chance_of_yes(choice)

    def _choice(self, client: httpx.Client, pair: JudgedResponse) -> dict[str, Any]:
        said = "\n\n".join(f"{message['role']}: {message['content']}" for message in pair.messages)
        # One pass, so that a conversation which holds the name of a field stays as it is.
        texts = dict(zip(_FIELDS, (said, pair.response), strict=True))
        prompt = re.sub("|".join(map(re.escape, _FIELDS)), lambda field: texts[field.group()], self._rubric)
        body: dict[str, Any] = {
            "model": self._endpoint.model,
            "messages": [{"role": "user", "content": prompt + self.question}],
            "temperature": 0,
            "max_tokens": 8 if self.question == _NUMBER else 1,
        }
        if self.question == _YES_NO:
            body |= {"logprobs": True, "top_logprobs": 20}
        try:
            answer = Retrying(
                retry=retry_if_exception(_may_pass),
                stop=stop_after_attempt(_TRIES),
                wait=wait_random_exponential(multiplier=0.2, max=20),
                reraise=True,
            )(self._post, client, body)
            choice = answer.json()["choices"][0]
        except httpx.HTTPStatusError as error:
            raise JudgeError(
                f"the judge's endpoint refuses ({error.response.status_code}): {error.response.text[:500]}"
            ) from error
        except httpx.HTTPError as error:
            raise JudgeError(f"the judge's endpoint {self._endpoint.url} fails: {error!r}") from error
        except (ValueError, LookupError, TypeError) as error:
            raise JudgeError(f"the judge's endpoint gives no choices: {error!r}") from error
        if not isinstance(choice, dict):
            raise JudgeError(f"the judge's endpoint gives no choice but {choice!r}")
        return choice

    def _post(self, client: httpx.Client, body: dict[str, Any]) -> httpx.Response:
        return client.post(f"{self._endpoint.url.rstrip('/')}/chat/completions", json=body).raise_for_status()


def chance_of_yes(choice: dict[str, Any]) -> float:
    """P(yes) of P(yes) + P(no), by the most likely first tokens of an answer.

    Raises:
        JudgeError: neither word is among them.
    """
    try:
        tokens = [
            (str(token["token"]), float(token["logprob"])) for token in choice["logprobs"]["content"][0]["top_logprobs"]
        ]
    except (LookupError, TypeError, ValueError) as error:
        raise JudgeError(f"the judge's endpoint gives no log probabilities that can be read: {error!r}") from error
    chance = first_words.chance_of_yes(tokens)
    if chance is None:
        seen = ", ".join(repr(token) for token, _ in tokens[:5])
        raise JudgeError(f"the judge begins with neither yes nor no, but {seen}: take a model that follows the rubric")
    return chance


def number_of(content: Any) -> float:
    """The number from 1 to 10 with which an answer begins; raises JudgeError where it is none."""
    found = re.match(r"\W*(?:score\W*)?(\d+(?:\.\d+)?)", content, re.IGNORECASE) if isinstance(content, str) else None
    if found is None or not 1 <= float(found.group(1)) <= 10:
        raise JudgeError(f"the judge was asked for a number from 1 to 10 and says {str(content)[:200]!r}")
    return float(found.group(1))


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in (408, 429) or error.response.status_code >= 500
    return isinstance(error, httpx.TransportError)
