"""A file of requests is uploaded, answered as a batch, and its answers are read."""

import json
import os
import time

from openai import OpenAI

client = OpenAI()
names = [f"request-{number}" for number in range(4)]
lines = [
    {
        "custom_id": name,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": os.environ["MODEL"],
            "messages": [{"role": "user", "content": "Name a river."}],
            "max_tokens": 0 if name == names[-1] else 16,
        },
    }
    for name in names
]
content = "\n".join(map(json.dumps, lines)).encode()
file = client.files.create(file=("requests.jsonl", content), purpose="batch")
assert client.files.content(file.id).read() == content
batch = client.batches.create(
    input_file_id=file.id,
    endpoint="/v1/chat/completions",
    completion_window="24h",
    metadata={"description": "nightly"},
)
while batch.status not in ("completed", "failed", "expired", "cancelled"):
    time.sleep(0.5)
    batch = client.batches.retrieve(batch.id)
assert batch.status == "completed", batch.errors
counts = batch.request_counts
assert (counts.total, counts.completed, counts.failed) == (4, 3, 1)
answers = [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]
assert sorted(answer["custom_id"] for answer in answers) == names[:-1]
assert all(answer["response"]["body"]["choices"][0]["message"]["content"] for answer in answers)
(error,) = map(json.loads, client.files.content(batch.error_file_id).text.splitlines())
assert (error["custom_id"], error["response"]["status_code"]) == (names[-1], 400)
assert client.files.delete(file.id).deleted
