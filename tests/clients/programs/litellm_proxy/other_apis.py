"""The client's proxy before the server: Anthropic's messages, the responses API, and the older completions API."""

import json
import os
import socket
import subprocess
import time

import httpx
from openai import OpenAI

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
    said = [{"role": "user", "content": "Say hello."}]
    body = {"model": "mine", "max_tokens": 16, "system": "Be brief.", "messages": said}
    headers = {"x-api-key": keyed["LITELLM_MASTER_KEY"], "anthropic-version": "2023-06-01"}
    found = httpx.post(f"http://127.0.0.1:{port}/v1/messages", json=body, headers=headers, timeout=60)
    assert found.is_success, found.text
    assert found.json()["content"][0]["text"]
    assert client.responses.create(model="mine", input="Say hello.", max_output_tokens=16).output_text
    assert client.completions.create(model="mine", prompt="The sea is", max_tokens=16).choices[0].text
finally:
    proxy.terminate()
    proxy.wait()
