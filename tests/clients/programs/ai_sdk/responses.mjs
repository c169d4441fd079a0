// The provider's default, which is OpenAI's responses API.
import assert from "node:assert";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText } from "ai";

const model = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL })(process.env.MODEL);
assert((await generateText({ model, prompt: "Say hello.", maxOutputTokens: 16, maxRetries: 0 })).text);
