// A tool that must be called, its result, and the answer about it.
import assert from "node:assert";
import OpenAI from "openai";

const client = new OpenAI();
const model = process.env.MODEL;
const parameters = { type: "object", properties: { city: { enum: ["Paris", "Rome"] } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "weather", description: "The weather.", parameters } }];
const messages = [{ role: "user", content: "What is the weather in Paris?" }];
const asked = { model, messages, tools, max_tokens: 200 };
const first = await client.chat.completions.create({ ...asked, tool_choice: "required" });
messages.push(first.choices[0].message);
for (const call of first.choices[0].message.tool_calls) {
  assert(["Paris", "Rome"].includes(JSON.parse(call.function.arguments).city));
  messages.push({ role: "tool", tool_call_id: call.id, content: "sunny" });
}
const last = await client.chat.completions.create({ ...asked, tool_choice: "none" });
assert(last.choices[0].message.content);
