// The older completions API, by two of the providers.
import assert from "node:assert";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";

const baseURL = process.env.OPENAI_BASE_URL;
const name = process.env.MODEL;
for (const provider of [createOpenAI({ baseURL }), createOpenAICompatible({ name: "mine", baseURL })]) {
  const model = provider.completionModel?.(name) ?? provider.completion(name);
  const asked = { model, prompt: "The sea is", maxOutputTokens: 16, maxRetries: 0 };
  assert((await generateText(asked)).text);
  let text = "";
  for await (const part of streamText(asked).textStream) text += part;
  assert(text);
}
