// The client's example of a tool as it is, by the responses API; the tool must be called at first.
import assert from "node:assert";
import { Agent, run, setTracingDisabled, tool } from "@openai/agents";
import { z } from "zod";

setTracingDisabled(true);
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
