// The client's first example, with the base URL from the environment.
import assert from "node:assert";
import OpenAI from "openai";

const answer = await new OpenAI().chat.completions.create({
  model: process.env.MODEL,
  messages: [{ role: "user", content: "Say hello." }],
  max_tokens: 16,
});
assert(answer.choices[0].message.content);
