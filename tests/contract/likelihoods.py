"""What the contract suite of generation engines asks of how likely tokens are told to have been."""

from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM

from services.generation.engine import Engine
from services.generation.generator import SequenceGenerator
from services.generation.messages import Sequence
from shared.errors import Unsupported
from shared.records.logprobs import shown
from shared.text.embedded_models import EMBEDDED_LLM, resolve
from tests.contract.engine_rows import GREEDY, QUESTION, WARM, one, pieces


async def check_logprobs(generator: SequenceGenerator, engine: Engine) -> None:
    """Log probabilities are the model's own, whole and in pieces, or refused."""
    greedy, warm = replace(GREEDY, logprobs=5), replace(WARM, logprobs=0)
    asked = Sequence("s", QUESTION, max_new_tokens=12)
    if not engine.info.logprobs:
        with pytest.raises(Unsupported, match=f"the {engine.info.engine} engine"):
            await one(generator, asked, greedy)
        return
    whole, parts = await one(generator, asked, greedy), await pieces(generator, 3, 4, greedy)
    cut = sum((part.logprobs for part in parts), ())
    assert [each.token for each in cut] == [each.token for each in whole.logprobs]
    assert [each.logprob for each in cut] == pytest.approx([each.logprob for each in whole.logprobs], abs=1e-3)
    assert "".join(each.token for each in shown(whole.logprobs, whole.text)) == whole.text
    for each in whole.logprobs:
        assert len(each.top) == 5
        assert each[:3] in each.top
        assert [other.logprob for other in each.top] == sorted((other.logprob for other in each.top), reverse=True)
    drawn, plain = (
        await one(generator, replace(asked, seed=7), warm),
        await one(generator, replace(asked, seed=7), WARM),
    )
    assert (drawn.token_ids, plain.logprobs) == (plain.token_ids, ())
    if engine.info.engine != "simulated":
        found = [each.logprob for each in drawn.logprobs]
        assert found == pytest.approx(own_logprobs(engine.encode_chat(QUESTION), drawn.token_ids), abs=1e-3)
        assert min(found) < -0.5


async def check_certainties(generator: SequenceGenerator, engine: Engine) -> None:
    """Certainties are the model's own, whole and in pieces, or refused."""
    if not engine.info.self_certainty:
        assert engine.info.engine == "openai"
        with pytest.raises(Unsupported, match=r"the openai engine .* type self_certainty") as refused:
            await one(generator, Sequence("s", QUESTION, max_new_tokens=24), replace(GREEDY, self_certainty=True))
        assert refused.value.field == "sampling.self_certainty"
        return
    greedy, asked = replace(GREEDY, self_certainty=True), Sequence("s", QUESTION, max_new_tokens=24)
    whole, parts = await one(generator, asked, greedy), await pieces(generator, 3, 8, greedy)
    assert sum((part.certainties for part in parts), ()) == pytest.approx(whole.certainties, abs=1e-3)
    assert len(whole.certainties) == len(whole.token_ids) > 16
    # What shapes sampling does not shape this, and asking for it changes nothing of what is sampled.
    shaped = replace(WARM, temperature=1.5, logit_bias={28: -100.0, 30: 5.0}, presence_penalty=1.5, top_p=0.9)
    drawn = await one(generator, replace(asked, seed=7), replace(shaped, self_certainty=True, logprobs=2))
    plain = await one(generator, replace(asked, seed=7), shaped)
    assert (drawn.token_ids, plain.certainties) == (plain.token_ids, ())
    assert len(drawn.logprobs) == len(drawn.certainties)
    if engine.info.engine != "simulated":
        found = own_certainties(engine.encode_chat(QUESTION), drawn.token_ids)
        assert drawn.certainties == pytest.approx(found, abs=1e-3)
        assert max(found) - min(found) > 0.5


def own_logprobs(prompt: tuple[int, ...], response: tuple[int, ...]) -> list[float]:
    """The log probabilities of a response's tokens, by the model that every engine but the simulated one serves."""
    return _own(prompt, response).gather(1, torch.tensor([response]).T).squeeze(1).tolist()


def own_certainties(prompt: tuple[int, ...], response: tuple[int, ...]) -> list[float]:
    """The divergences of the uniform distribution from that model's at the response's tokens, by the definition."""
    probabilities = _own(prompt, response).double().exp()
    return (-torch.log(probabilities.shape[1] * probabilities).mean(1)).tolist()


def _own(prompt: tuple[int, ...], response: tuple[int, ...]) -> torch.Tensor:
    model = AutoModelForCausalLM.from_pretrained(resolve(EMBEDDED_LLM), dtype=torch.float32)
    with torch.inference_mode():
        logits = model(torch.tensor([[*prompt, *response]])).logits[0, len(prompt) - 1 : -1]
    return torch.log_softmax(logits, -1)
