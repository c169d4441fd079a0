// The provider for Azure's paths, in its form for a base URL of one's own.
import assert from "node:assert";
import { createAzure } from "@ai-sdk/azure";
import { generateText } from "ai";

const provider = createAzure({ baseURL: process.env.OPENAI_BASE_URL, apiKey: "none" });
const model = provider.chat(process.env.MODEL);
assert((await generateText({ model, prompt: "Say hello.", maxOutputTokens: 16, maxRetries: 0 })).text);
