// A stream that is left before its end and a call that is aborted, after which the next call is answered.
import assert from "node:assert";
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const asked = { model: process.env.MODEL, messages: [{ role: "user", content: "Write a story." }], max_tokens: 300 };
for await (const chunk of await client.chat.completions.create({ ...asked, stream: true })) {
  assert(chunk.id);
  break;
}
const controller = new AbortController();
setTimeout(() => controller.abort(), 20);
await assert.rejects(client.chat.completions.create(asked, { signal: controller.signal }), OpenAI.APIUserAbortError);
assert((await client.chat.completions.create({ ...asked, max_tokens: 8 })).choices[0].message.content);
