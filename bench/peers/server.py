"""vLLM's own HTTP server, as far as a comparison needs it: its counters, its tokenizer, and one plain response."""

import re
from dataclasses import dataclass
from typing import Any, Self

import httpx

_COUNTERS = re.compile(r"^vllm:(generation|prompt)_tokens_total(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Counted:
    """Tokens by the server's own counters, which count whatever was asked of it, by whomever."""

    generated: int
    prompt: int

    def __sub__(self, earlier: Self) -> "Counted":
        return Counted(self.generated - earlier.generated, self.prompt - earlier.prompt)


def counted(metrics: str) -> Counted:
    """What a server's metrics, in Prometheus' text form, have counted.

    Raises:
        ValueError: they are not those of vLLM.
    """
    found = {"generation": 0.0, "prompt": 0.0}
    names = set()
    for name, value in _COUNTERS.findall(metrics):
        found[name] += float(value)
        names.add(name)
    if names != found.keys():
        raise ValueError("the server's metrics lack vllm:generation_tokens_total: is it vLLM's?")
    return Counted(round(found["generation"]), round(found["prompt"]))


class VllmServer:
    """A server at `url`, which ends with `/v1`. Its methods raise httpx.HTTPError where it does not answer."""

    def __init__(self, url: str, model: str | None) -> None:
        self.url = url.rstrip("/")
        self._root = self.url.removesuffix("/v1")
        self._client = httpx.Client(timeout=600.0)
        self.model = model or self._get(f"{self.url}/models").json()["data"][0]["id"]

    def counted(self) -> Counted:
        return counted(self._get(f"{self._root}/metrics").text)

    def tokens_in(self, text: str) -> int:
        """How many tokens a text has for the server's model."""
        body = {"model": self.model, "prompt": text, "add_special_tokens": False}
        return int(self._post(f"{self._root}/tokenize", body)["count"])

    def plain(self, prompt: str, max_tokens: int, temperature: float, seed: int) -> str:
        """One response without any search."""
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
        }
        return str(self._post(f"{self.url}/chat/completions", body)["choices"][0]["message"]["content"] or "")

    def close(self) -> None:
        self._client.close()

    def _get(self, url: str) -> httpx.Response:
        return self._client.get(url).raise_for_status()

    def _post(self, url: str, body: dict[str, object]) -> dict[str, Any]:
        return dict(self._client.post(url, json=body).raise_for_status().json())
