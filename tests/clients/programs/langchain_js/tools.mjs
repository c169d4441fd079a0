// A tool that must be called, its result, and the answer about it.
import assert from "node:assert";
import { HumanMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import { z } from "zod";

const weather = tool(({ city }) => `It is sunny in ${city}.`, {
  name: "weather",
  description: "The weather in a city.",
  schema: z.object({ city: z.string() }),
});
const model = new ChatOpenAI({ model: process.env.MODEL, maxTokens: 200 });
const messages = [new HumanMessage("What is the weather in Paris?")];
const called = await model.bindTools([weather], { tool_choice: "weather" }).invoke(messages);
assert.equal(called.tool_calls[0].name, "weather");
messages.push(called, ...(await Promise.all(called.tool_calls.map((call) => weather.invoke(call)))));
assert((await model.bindTools([weather], { tool_choice: "none" }).invoke(messages)).content);
