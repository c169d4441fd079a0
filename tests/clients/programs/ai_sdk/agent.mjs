// The client's agent by the provider's default, the responses API: a tool that it may call, over several steps.
import assert from "node:assert";
import { createOpenAI } from "@ai-sdk/openai";
import { isStepCount, tool, ToolLoopAgent } from "ai";
import { z } from "zod";

const agent = new ToolLoopAgent({
  model: createOpenAI({ baseURL: process.env.OPENAI_BASE_URL })(process.env.MODEL),
  instructions: "You are a helpful assistant.",
  tools: {
    weather: tool({
      description: "Get the weather in a location",
      inputSchema: z.object({ location: z.string() }),
      execute: async ({ location }) => ({ location, temperature: 21 }),
    }),
  },
  stopWhen: isStepCount(3),
  maxOutputTokens: 200,
  maxRetries: 0,
});
const answer = await agent.generate({ prompt: "What is the weather in San Francisco?" });
assert(answer.text || answer.toolCalls.length);
