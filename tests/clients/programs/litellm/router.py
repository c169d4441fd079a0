"""The client's router: a server that is away is passed over for one that answers; and several calls in a batch."""

import os

import litellm

asked = [{"role": "user", "content": "Say hello."}]
here = {"model": f"openai/{os.environ['MODEL']}", "api_key": "none", "max_tokens": 16}
models = [
    {"model_name": "away", "litellm_params": {**here, "api_base": "http://127.0.0.1:9/v1"}},
    {"model_name": "mine", "litellm_params": {**here, "api_base": os.environ["OPENAI_BASE_URL"]}},
]
router = litellm.Router(model_list=models, fallbacks=[{"away": ["mine"]}], num_retries=0, timeout=60)
assert router.completion(model="away", messages=asked).choices[0].message.content
answers = litellm.batch_completion(model=here["model"], messages=[asked] * 3, max_tokens=8)
assert all(answer.choices[0].message.content for answer in answers)
