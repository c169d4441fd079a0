"""What shapes sampling through every process, with OpenAI's SDK and each kind of method."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from cli.stack import Stack

ASKED: Any = [{"role": "user", "content": "Name some rivers."}]
METHODS = ["sample", "best-of-n", "darwin"]


@pytest.fixture
def client(simulated_stack: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{simulated_stack.url}/v1", api_key="unused", max_retries=0) as client:
        yield client


@pytest.mark.parametrize("model", METHODS)
def test_the_simulated_words_are_as_asked(client: openai.OpenAI, model: str) -> None:
    def ask(length: int, **fields: Any) -> openai.types.chat.ChatCompletion:
        return client.chat.completions.create(
            model=model,
            messages=ASKED,
            max_tokens=length,
            extra_body={"ignore_eos": True, "darwin": {"period": 40} if model == "darwin" else {}},
            **fields,
        )

    # The simulated models end their responses after a hundred words or so.
    [choice] = ask(400).choices
    assert choice.finish_reason == "length"
    answer = ask(120, logit_bias={"1": 20}, frequency_penalty=2)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 120
    words = (answer.choices[0].message.content or "").split()
    # The first word of their vocabulary. Ten times outweigh the bias; counted anew in each round, it would be thirty.
    assert 5 <= words.count("the") <= 16


@pytest.mark.parametrize("model", METHODS)
def test_a_token_that_the_model_does_not_have_is_refused(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.BadRequestError, match="logit_bias holds the token id 99999999") as refused:
        client.chat.completions.create(model=model, messages=ASKED, logit_bias={"99999999": 5})
    assert refused.value.param == "logit_bias"
