// The provider's default, the responses API: a stream, and an answer in the shape of a zod schema.
import assert from "node:assert";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, Output, streamText } from "ai";
import { z } from "zod";

const model = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL })(process.env.MODEL);
const errors = [];
const asked = { model, prompt: "Name a city and its country.", maxOutputTokens: 400, maxRetries: 0 };
const stream = streamText({ ...asked, onError: ({ error }) => errors.push(error) });
let text = "";
for await (const part of stream.textStream) text += part;
if (errors.length) throw errors[0];
assert(text);
assert((await stream.usage).outputTokens > 0);
const output = Output.object({ schema: z.object({ name: z.string(), country: z.string() }) });
assert.equal(typeof (await generateText({ ...asked, output })).output.name, "string");
