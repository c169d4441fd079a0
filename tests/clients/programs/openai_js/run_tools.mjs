// The client's loop: it streams, calls the functions that the model calls, and asks again until there is an answer.
import assert from "node:assert";
import OpenAI from "openai";
import { zodFunction } from "openai/helpers/zod";
import { z } from "zod";

const weather = zodFunction({
  name: "weather",
  description: "The weather in a city.",
  parameters: z.object({ city: z.string() }),
  function: ({ city }) => `It is sunny in ${city}.`,
});
const runner = new OpenAI().chat.completions.runTools({
  model: process.env.MODEL,
  messages: [{ role: "user", content: "What is the weather in Paris?" }],
  tools: [weather],
  max_tokens: 200,
  stream: true,
});
assert(await runner.finalContent());
assert.equal(runner.messages.at(-1).role, "assistant");
