// A tool that the client calls when the model does, over at most five steps until there is an answer.
import assert from "node:assert";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, isStepCount, tool } from "ai";
import { z } from "zod";

const model = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL }).chat(process.env.MODEL);
const weather = tool({
  description: "Get the weather in a location",
  inputSchema: z.object({ location: z.string() }),
  execute: async ({ location }) => ({ location, temperature: 21 }),
});
const asked = { model, prompt: "What is the weather in San Francisco?", maxOutputTokens: 200, maxRetries: 0 };
const answer = await generateText({ ...asked, tools: { weather }, stopWhen: isStepCount(5) });
assert(answer.text || answer.toolCalls.length);
const forced = await generateText({ ...asked, tools: { weather }, toolChoice: "required" });
assert.equal(typeof forced.toolCalls[0].input.location, "string");
assert.equal(forced.toolResults[0].output.temperature, 21);
