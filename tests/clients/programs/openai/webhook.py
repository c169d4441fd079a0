"""The end of a background response is told to a webhook endpoint, which verifies and reads it by `webhooks.unwrap`."""

import os
import queue
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from openai import InvalidWebhookSignatureError, OpenAI

calls = queue.Queue()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        calls.put((self.rfile.read(int(self.headers["content-length"])), dict(self.headers)))
        self.send_response(204)
        self.end_headers()


server = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = OpenAI()
# An answer that is cut is incomplete.
types = ["response.completed", "response.incomplete"]
endpoint = client.webhooks.create(name="mine", url=f"http://127.0.0.1:{server.server_port}/", event_types=types)
told = client.responses.create(model=os.environ["MODEL"], input="Name a river.", max_output_tokens=16, background=True)
body, headers = calls.get(timeout=60)
event = client.webhooks.unwrap(body, headers, secret=endpoint.signing_secret)
assert (event.type in types, event.data.id) == (True, told.id)
assert client.responses.retrieve(event.data.id).output_text
try:
    client.webhooks.unwrap(body.replace(b"resp_", b"resp-"), headers, secret=endpoint.signing_secret)
    raise SystemExit("AssertionError: a changed event is taken")
except InvalidWebhookSignatureError:
    pass
assert client.webhooks.delete(endpoint.id).deleted
