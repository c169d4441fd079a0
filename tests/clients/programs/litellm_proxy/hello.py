"""The client's proxy before the server, asked by the openai client."""

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
    asked = [{"role": "user", "content": "Say hello."}]
    assert client.chat.completions.create(model="mine", messages=asked, max_tokens=16).choices[0].message.content
    stream = client.chat.completions.create(model="mine", messages=asked, max_tokens=16, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
finally:
    proxy.terminate()
    proxy.wait()
