// The responses API.
import assert from "node:assert";
import OpenAI from "openai";

const answer = await new OpenAI().responses.create({
  model: process.env.MODEL,
  input: "Say hello.",
  max_output_tokens: 16,
});
assert(answer.output_text);
