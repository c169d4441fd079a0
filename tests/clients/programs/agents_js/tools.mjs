// An agent with a tool that it must call at first, and an answer about the result.
import assert from "node:assert";
import { Agent, run, setOpenAIAPI, setTracingDisabled, tool } from "@openai/agents";
import { z } from "zod";

setTracingDisabled(true);
setOpenAIAPI("chat_completions");
const weather = tool({
  name: "get_weather",
  description: "Get the weather for a given city",
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => `The weather in ${city} is sunny.`,
});
const modelSettings = { toolChoice: "required", maxTokens: 200 };
const agent = new Agent({ name: "helper", model: process.env.MODEL, tools: [weather], modelSettings });
const result = await run(agent, "What is the weather in Tokyo?");
assert(result.finalOutput);
assert.equal(result.newItems[0].type, "tool_call_item");
