// The provider for servers like OpenAI's: an answer and a stream.
import assert from "node:assert";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";

const provider = createOpenAICompatible({ name: "mine", baseURL: process.env.OPENAI_BASE_URL, includeUsage: true });
const model = provider(process.env.MODEL);
assert((await generateText({ model, prompt: "Say hello.", maxOutputTokens: 16, maxRetries: 0 })).text);
const stream = streamText({ model, prompt: "Describe the sea.", maxOutputTokens: 32, maxRetries: 0 });
let text = "";
for await (const part of stream.textStream) text += part;
assert(text);
assert((await stream.usage).outputTokens > 0);
