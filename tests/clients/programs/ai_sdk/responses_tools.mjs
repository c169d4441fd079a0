// A tool by the provider's default, the responses API: a call that is demanded, its result, and the answer.
import assert from "node:assert";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const model = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL })(process.env.MODEL);
const weather = tool({
  description: "Tells the weather of a city.",
  inputSchema: z.object({ city: z.enum(["Paris", "Rome"]) }),
  execute: async () => "sunny",
});
const asked = {
  model,
  prompt: "What is the weather in Paris?",
  tools: { weather },
  prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber ? "none" : "required" }),
  stopWhen: stepCountIs(2),
  providerOptions: { openai: { parallelToolCalls: false } },
  maxRetries: 0,
};
const { steps, text } = await generateText(asked);
assert.equal(steps[0].toolCalls[0].toolName, "weather");
assert.equal(steps[0].toolResults[0].output, "sunny");
assert(text);
const streamed = streamText(asked);
assert(await streamed.text);
assert.equal((await streamed.steps)[0].toolCalls[0].toolName, "weather");
