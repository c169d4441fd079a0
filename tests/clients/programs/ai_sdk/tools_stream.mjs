// A call of a tool that must be called, as it streams: the input's beginning, its pieces, the call, and the result.
import assert from "node:assert";
import { createOpenAI } from "@ai-sdk/openai";
import { streamText, tool } from "ai";
import { z } from "zod";

const model = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL }).chat(process.env.MODEL);
const weather = tool({
  description: "Get the weather in a location",
  inputSchema: z.object({ location: z.string() }),
  execute: async ({ location }) => ({ location, temperature: 21 }),
});
const errors = [];
const stream = streamText({
  model,
  prompt: "What is the weather in San Francisco?",
  tools: { weather },
  toolChoice: { type: "tool", toolName: "weather" },
  maxOutputTokens: 200,
  maxRetries: 0,
  onError: ({ error }) => errors.push(error),
});
const kinds = [];
for await (const part of stream.fullStream) kinds.push(part.type);
if (errors.length) throw errors[0];
const awaited = ["tool-input-start", "tool-input-delta", "tool-call", "tool-result"];
for (const kind of awaited) assert(kinds.includes(kind), `no ${kind} in ${kinds}`);
