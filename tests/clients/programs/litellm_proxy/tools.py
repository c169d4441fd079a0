"""The client's proxy before the server: a tool that must be called, an answer with a schema, and a refusal."""

import json
import os
import socket
import subprocess
import time

import httpx
from openai import BadRequestError, OpenAI

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
settings = {"model": f"openai/{os.environ['MODEL']}", "api_base": os.environ["OPENAI_BASE_URL"], "api_key": "none"}
with open("config.yaml", "w") as file:
    json.dump({"model_list": [{"model_name": "mine", "litellm_params": settings}]}, file)
# The proxy does not start without a key of its own, which its callers must send.
keyed = {**os.environ, "LITELLM_MASTER_KEY": "sk-of-this-program"}
command = ["litellm", "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
proxy = subprocess.Popen(command, env=keyed)
try:
    give_up = time.monotonic() + 90
    while proxy.poll() is None and time.monotonic() < give_up:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/readiness", timeout=2).is_success:
                break
        except httpx.TransportError:
            time.sleep(0.5)
    client = OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=keyed["LITELLM_MASTER_KEY"])
    parameters = {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]}
    tool = {"type": "function", "function": {"name": "weather", "parameters": parameters}}
    asked = {"model": "mine", "messages": [{"role": "user", "content": "What is the weather in Paris?"}]}
    called = client.chat.completions.create(**asked, tools=[tool], tool_choice="required", max_tokens=200)
    assert json.loads(called.choices[0].message.tool_calls[0].function.arguments)["city"] in ("Paris", "Rome")
    schema = {"type": "json_schema", "json_schema": {"name": "city", "schema": parameters}}
    shaped = client.chat.completions.create(**asked, response_format=schema, max_tokens=200)
    assert json.loads(shaped.choices[0].message.content)["city"] in ("Paris", "Rome")
    refusal = None
    try:
        client.chat.completions.create(**asked, temperature=9)
    except BadRequestError as error:
        refusal = error
    assert "temperature" in str(refusal)
finally:
    proxy.terminate()
    proxy.wait()
