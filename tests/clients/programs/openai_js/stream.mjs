// Text as it comes, by the client's helper, which puts the whole answer together.
import assert from "node:assert";
import OpenAI from "openai";

const stream = new OpenAI().chat.completions.stream({
  model: process.env.MODEL,
  messages: [{ role: "user", content: "Describe the sea in two sentences." }],
  max_tokens: 48,
  stream_options: { include_usage: true },
});
let parts = 0;
stream.on("content", () => (parts += 1));
const whole = await stream.finalChatCompletion();
assert(parts > 1, "the whole text came in one piece");
assert(whole.choices[0].message.content);
assert(whole.usage.completion_tokens > 0);
