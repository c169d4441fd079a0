// An object of a zod schema that grows while its answer is streamed.
import assert from "node:assert";
import { createOpenAI } from "@ai-sdk/openai";
import { Output, streamText } from "ai";
import { z } from "zod";

const model = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL }).chat(process.env.MODEL);
const schema = z.object({ name: z.string(), country: z.string() });
const stream = streamText({
  model,
  prompt: "Name a city and its country.",
  output: Output.object({ schema }),
  maxOutputTokens: 400,
  maxRetries: 0,
});
const parts = [];
for await (const part of stream.partialOutputStream) parts.push(part);
schema.parse(parts.at(-1));
