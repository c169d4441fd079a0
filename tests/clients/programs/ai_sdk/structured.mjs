// An answer in the shape of a zod schema, by the schema that the server keeps.
import assert from "node:assert";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, Output } from "ai";
import { z } from "zod";

const model = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL }).chat(process.env.MODEL);
const schema = z.object({ name: z.string(), country: z.string() });
const answer = await generateText({
  model,
  prompt: "Name a city and its country.",
  output: Output.object({ schema }),
  maxOutputTokens: 200,
  maxRetries: 0,
});
assert(typeof answer.output.name === "string");
