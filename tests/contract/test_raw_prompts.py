"""Every engine continues a raw prompt as it stands: without a chat template, and exactly."""

import importlib.util
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from transformers import AutoTokenizer

from services.generation.bootstrap import build_engine, build_generator
from services.generation.engine import Engine
from services.generation.generator import SequenceGenerator
from services.generation.messages import RawPrompt, Sequence
from services.generation.settings import GenerationSettings
from shared.errors import InvalidRequest
from shared.records.evolution import Message
from shared.text.embedded_models import EMBEDDED_LLM, resolve
from tests.contract.engine_rows import ROWS, one

pytestmark = pytest.mark.asyncio(loop_scope="module")
TEXT = "The river runs from the hills to the"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ROWS)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    name, _, tokens = request.param.partition("-")
    if name == "vllm" and importlib.util.find_spec("vllm") is None:
        pytest.skip("vllm is not installed")
    there = {"endpoint": request.getfixturevalue("vllm_server"), "endpoint_tokens": tokens} if tokens else {}
    engine = build_engine(GenerationSettings(engine=name, dtype="float32", max_model_len=512, **there))
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture(scope="module")
def generator(engine: Engine) -> SequenceGenerator:
    return build_generator(engine, GenerationSettings(max_model_len=512))


def asked(prompt: RawPrompt, given: tuple[int, ...] = (), more: int = 24) -> Sequence:
    return Sequence("s", (), given, more, raw_prompt=prompt)


async def test_a_text_is_encoded_without_a_template(generator: SequenceGenerator, engine: Engine) -> None:
    result = await one(generator, asked(RawPrompt(TEXT)))
    assert result.usage.prompt_tokens == len(engine.encode_raw(TEXT))
    assert result.usage.prompt_tokens < len(engine.encode_chat((Message("user", TEXT),)))
    if engine.info.engine != "simulated":
        assert list(engine.encode_raw(TEXT)) == AutoTokenizer.from_pretrained(resolve(EMBEDDED_LLM))(TEXT)["input_ids"]
        assert result.text.startswith(" "), "the space before the first word is the continuation's"


async def test_a_template_that_the_caller_prints_is_the_chats(generator: SequenceGenerator, engine: Engine) -> None:
    if engine.info.engine == "simulated":
        pytest.skip("it has no template and no control tokens")
    conversation = (Message("system", "Be brief."), Message("user", "What is the capital of France?"))
    ids = engine.encode_chat(conversation)
    printed = engine.decode(ids, special=True)
    assert engine.encode_raw(printed) == ids
    answer = await one(generator, Sequence("s", conversation, max_new_tokens=12))
    for prompt in (RawPrompt(printed), RawPrompt(token_ids=ids)):
        assert (await one(generator, asked(prompt, more=12))).text.strip() == answer.text.strip()


async def test_ids_and_their_text_are_continued_alike_and_exactly(generator: SequenceGenerator, engine: Engine) -> None:
    whole = await one(generator, asked(RawPrompt(TEXT)))
    assert len(whole.token_ids) > 8
    by_ids = RawPrompt(token_ids=engine.encode_raw(TEXT))
    for prompt in (RawPrompt(TEXT), by_ids):
        first = await one(generator, asked(prompt, more=8))
        rest = await one(generator, asked(prompt, first.token_ids, 16))
        assert first.token_ids + rest.token_ids == whole.token_ids
        assert rest.text == whole.text


async def test_ids_are_of_the_vocabulary(generator: SequenceGenerator, engine: Engine) -> None:
    beyond = RawPrompt(token_ids=(engine.info.vocabulary_size,))
    with pytest.raises(InvalidRequest, match="vocabulary") as refused:
        await one(generator, asked(beyond))
    assert refused.value.field == "sequences[0].prompt"
    with pytest.raises(InvalidRequest, match="vocabulary"):
        await generator.text_of(beyond.token_ids)
    assert await generator.text_of(engine.encode_raw("the river")) in ("the river", "the")


async def test_a_prompt_is_a_text_or_ids_and_no_conversation(generator: SequenceGenerator) -> None:
    for prompt in (RawPrompt(), RawPrompt("the", (1,))):
        with pytest.raises(InvalidRequest, match="either a text or token ids"):
            await one(generator, asked(prompt))
    with pytest.raises(InvalidRequest, match="not both"):
        await one(generator, Sequence("s", (Message("user", "Hi"),), raw_prompt=RawPrompt("the")))
