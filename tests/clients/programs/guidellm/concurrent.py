"""A benchmark of several streams at once over the chat API; every request must succeed."""

import json
import os
import subprocess
from pathlib import Path

prompts = [json.dumps({"prompt": f"Name {n} animals."}) for n in range(1, 9)]
Path("prompts.jsonl").write_text("\n".join(prompts))
target = os.environ["OPENAI_BASE_URL"].removesuffix("/v1")
options = {
    "backend": f"kind=openai_http,target={target},model={os.environ['MODEL']},request_format=/v1/chat/completions",
    "profile": "kind=concurrent,streams=4",
    "constraint": "kind=max_requests,count=8",
    "data": "kind=json_file,path=prompts.jsonl",
    "output": "kind=json,path=found.json",
}
flags = [word for name, value in options.items() for word in (f"--{name}", value)]
subprocess.run(["guidellm", "run", *flags, "--disable-console"], check=True)
(benchmark,) = json.loads(Path("found.json").read_text())["benchmarks"]
requests = benchmark["requests"]
assert len(requests["successful"]) == 8, [request["info"]["error"] for request in requests["errored"]]
