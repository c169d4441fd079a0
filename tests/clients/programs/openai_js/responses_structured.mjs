// An answer of the responses API in the shape of a zod schema, by the client's `parse`.
import assert from "node:assert";
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const answer = await new OpenAI().responses.parse({
  model: process.env.MODEL,
  input: "Name a city and its country.",
  max_output_tokens: 400,
  text: { format: zodTextFormat(z.object({ name: z.string(), country: z.string() }), "city") },
});
assert(answer.output_parsed.name !== undefined);
