// An agent that must call a tool and then answers, by the responses API.
import assert from "node:assert";
import { Agent, run, setTracingDisabled, tool } from "@openai/agents";
import { z } from "zod";

setTracingDisabled(true);
const called = [];
const weather = tool({
  name: "weather",
  description: "Tells the weather of a city.",
  parameters: z.object({ city: z.enum(["Paris", "Rome"]) }),
  execute: async ({ city }) => {
    called.push(city);
    return "sunny";
  },
});
const agent = new Agent({
  name: "helper",
  instructions: "Be brief.",
  model: process.env.MODEL,
  modelSettings: { toolChoice: "required", parallelToolCalls: false },
  tools: [weather],
});
assert((await run(agent, "What is the weather in Paris?")).finalOutput !== undefined);
assert(called.length);
