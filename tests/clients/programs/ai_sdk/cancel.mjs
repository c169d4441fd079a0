// A stream that is aborted, turns of a conversation, and a refusal as the client tells of it.
import assert from "node:assert";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, generateText, streamText } from "ai";

const model = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL }).chat(process.env.MODEL);
const controller = new AbortController();
const stream = streamText({ model, prompt: "Write a story.", abortSignal: controller.signal, maxRetries: 0 });
const kinds = [];
for await (const part of stream.fullStream) {
  kinds.push(part.type);
  controller.abort();
}
assert(kinds.includes("abort"));
const messages = ["Hello.", "Hello!", "Name a colour."].map((content, turn) => ({
  role: turn % 2 ? "assistant" : "user",
  content,
}));
const asked = { model, instructions: "Be brief.", messages, maxRetries: 0 };
assert((await generateText({ ...asked, maxOutputTokens: 16, stopSequences: ["\n\n"], seed: 1 })).text);
await assert.rejects(generateText({ ...asked, temperature: 9 }), (error) => {
  assert(APICallError.isInstance(error));
  assert.equal(error.statusCode, 400);
  assert(!error.isRetryable);
  return true;
});
