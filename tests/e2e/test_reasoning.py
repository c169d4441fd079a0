"""A model that thinks first, through every process: its thoughts are told apart, handed back, and never scored."""

import httpx
import openai

from cli.stack import Stack

THINK = {"chat_template_kwargs": {"enable_thinking": True}}
ASKED = [{"role": "user", "content": "Name three rivers in Peru."}]


def test_answers_tell_what_was_thought(simulated_stack: Stack) -> None:
    client = openai.OpenAI(base_url=f"{simulated_stack.url}/v1", api_key="none")
    create = client.chat.completions.create
    body = {**THINK, "darwin": {"period": 10}}
    answer = create(model="darwin", messages=ASKED, seed=7, max_tokens=200, extra_body=body)
    message, usage = answer.choices[0].message, answer.usage
    thought, text = message.reasoning_content, message.content
    assert thought
    assert text
    assert "think>" not in thought + text
    assert len(thought.split()) < usage.completion_tokens_details.reasoning_tokens < usage.completion_tokens
    recorded = httpx.get(f"{simulated_stack.url}/v1/evolutions/{answer.darwin['evolution_id']}/recording").json()
    rounds = [event for event in recorded["events"] if event["type"] == "round.finished"]
    unscored = [
        (said, thinks)
        for event in rounds
        for reward, said, thinks in zip(event["rewards"], event["texts"], event["reasoning"], strict=True)
        if reward is None
    ]
    assert unscored
    assert all(said == "" and thinks for said, thinks in unscored)

    pieces = [
        chunk.choices[0].delta
        for chunk in create(model="sample", messages=ASKED, seed=7, max_tokens=200, stream=True, extra_body=THINK)
        if chunk.choices
    ]
    told = "".join(getattr(piece, "reasoning_content", None) or "" for piece in pieces)
    whole = create(model="sample", messages=ASKED, seed=7, max_tokens=200, extra_body=THINK).choices[0].message
    text = whole.content
    assert (told, "".join(piece.content or "" for piece in pieces)) == (whole.reasoning_content, text)
    quiet = create(
        model="sample", messages=ASKED, seed=7, max_tokens=200, extra_body={**THINK, "include_reasoning": False}
    )
    assert quiet.choices[0].message.content == text
    assert "reasoning_content" not in quiet.choices[0].message.model_dump()
    # Handed back it is a part of the prompt; without thinking nothing is thought.
    said = {"role": "assistant", "content": "x"}
    lengths = [
        create(model="sample", messages=[*ASKED, turn, *ASKED], max_tokens=5).usage.prompt_tokens
        for turn in (said, said | {"reasoning_content": "a b"})
    ]
    assert lengths[1] == lengths[0] + 4
    plain = create(model="sample", messages=ASKED, seed=7, max_tokens=200)
    assert "reasoning_content" not in plain.choices[0].message.model_dump()
    assert plain.usage.completion_tokens_details.reasoning_tokens == 0
    spared = create(model="darwin", messages=ASKED, max_tokens=20, reasoning_effort="none")
    assert spared.usage.darwin["method"] == "sample"


def test_a_beginning_that_thinks_is_not_scored(simulated_stack: Stack) -> None:
    """The simulated reward is of the text, so that equal answers have equal rewards whatever was thought before."""
    client = httpx.Client(base_url=simulated_stack.url, timeout=60)
    body = {"model": "sample", "seed": 3, "max_tokens": 200, **THINK}
    begun = [*ASKED, {"role": "assistant", "content": "<think> first of all"}]
    answer = client.post("/v1/chat/completions", json=body | {"messages": begun}).json()
    message = answer["choices"][0]["message"]
    assert message["reasoning_content"]
    assert message["content"]
    scores = [
        client.post("/v1/chat/completions", json=body | {"messages": begun}).json()["usage"]["darwin"]["reward"]
        for _ in range(2)
    ]
    assert scores[0] == scores[1] == answer["usage"]["darwin"]["reward"]
