"""vLLM's serving benchmark with answers of one length, which it demands by `ignore_eos`."""

import argparse
import asyncio
import json
import os

from vllm.benchmarks.serve import add_cli_args, main_async

with open("prompts.jsonl", "w") as file:
    file.writelines(json.dumps({"prompt": f"Name {n} animals.", "output_tokens": 16}) + "\n" for n in range(1, 5))
parser = argparse.ArgumentParser()
add_cli_args(parser)
server = ["--backend", "openai-chat", "--base-url", os.environ["OPENAI_BASE_URL"], "--endpoint", "/chat/completions"]
asked = ["--dataset-name", "custom", "--dataset-path", "prompts.jsonl", "--num-prompts", "4", "--skip-chat-template"]
model = ["--model", os.environ["MODEL"], "--skip-tokenizer-init", "--custom-output-len", "16", "--ignore-eos"]
found = asyncio.run(main_async(parser.parse_args([*server, *asked, *model])))
assert found["completed"] == 4, found
