// A tool of the responses API that must be called, its result, and the answer about it.
import assert from "node:assert";
import OpenAI from "openai";

const client = new OpenAI();
const parameters = { type: "object", properties: { city: { enum: ["Paris", "Rome"] } }, required: ["city"] };
const tools = [{ type: "function", name: "weather", parameters, strict: false }];
const input = [{ role: "user", content: "What is the weather in Paris?" }];
const asked = { model: process.env.MODEL, input, tools, max_output_tokens: 200 };
const first = await client.responses.create({ ...asked, tool_choice: "required" });
input.push(...first.output);
for (const item of first.output.filter(({ type }) => type === "function_call")) {
  assert(["Paris", "Rome"].includes(JSON.parse(item.arguments).city));
  input.push({ type: "function_call_output", call_id: item.call_id, output: "sunny" });
}
assert((await client.responses.create({ ...asked, tool_choice: "none" })).output_text);
