// The provider for servers like OpenAI's: a tool that must be called, and an answer in the shape of a zod schema.
import assert from "node:assert";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, Output, tool } from "ai";
import { z } from "zod";

const baseURL = process.env.OPENAI_BASE_URL;
const model = createOpenAICompatible({ name: "mine", baseURL, supportsStructuredOutputs: true })(process.env.MODEL);
const asked = { model, prompt: "What is the weather in Paris?", maxOutputTokens: 400, maxRetries: 0 };
const tools = { weather: tool({ description: "The weather.", inputSchema: z.object({ city: z.string() }) }) };
const called = await generateText({ ...asked, tools, toolChoice: "required" });
assert.equal(typeof called.toolCalls[0].input.city, "string");
const output = Output.object({ schema: z.object({ city: z.string(), sunny: z.boolean() }) });
assert.equal(typeof (await generateText({ ...asked, output })).output.sunny, "boolean");
