// The provider for OpenAI's chat API, which checks every body by its zod schemas.
import assert from "node:assert";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText } from "ai";

const model = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL }).chat(process.env.MODEL);
const answer = await generateText({ model, prompt: "Say hello.", maxOutputTokens: 16, maxRetries: 0 });
assert(answer.text);
assert(answer.usage.outputTokens > 0);
