// An answer in the shape of a zod schema, by the client's `parse`.
import assert from "node:assert";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const City = z.object({ name: z.string(), country: z.string() });
const answer = await new OpenAI().chat.completions.parse({
  model: process.env.MODEL,
  messages: [{ role: "user", content: "Name a city and its country." }],
  max_tokens: 200,
  response_format: zodResponseFormat(City, "city"),
});
assert(answer.choices[0].message.parsed.name !== undefined);
