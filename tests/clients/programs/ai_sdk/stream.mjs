// A stream by the provider for OpenAI's chat API, whose every chunk its zod schema checks.
import assert from "node:assert";
import { createOpenAI } from "@ai-sdk/openai";
import { streamText } from "ai";

const model = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL }).chat(process.env.MODEL);
const errors = [];
const stream = streamText({
  model,
  prompt: "Describe the sea in two sentences.",
  maxOutputTokens: 48,
  maxRetries: 0,
  onError: ({ error }) => errors.push(error),
});
const parts = [];
for await (const part of stream.textStream) parts.push(part);
if (errors.length) throw errors[0];
assert(parts.length > 1, "the whole text came in one piece");
assert((await stream.usage).outputTokens > 0);
