// A conversation with a system message that keeps the answers as the client returned them, with several answers.
import assert from "node:assert";
import OpenAI from "openai";

const client = new OpenAI();
const messages = [{ role: "system", content: "Be brief." }];
for (const content of ["Name a colour.", "And another one?"]) {
  messages.push({ role: "user", content });
  const asked = { model: process.env.MODEL, messages, max_completion_tokens: 16, n: 2, stop: ["\n\n"] };
  const answer = await client.chat.completions.create(asked);
  assert(answer.usage.completion_tokens > 0);
  messages.push(answer.choices[0].message);
}
assert.equal(messages.length, 5);
