// The client's first example of an agent: a tool that it may call, and an answer; and one with a shape.
import assert from "node:assert";
import { ChatOpenAI } from "@langchain/openai";
import { createAgent, tool } from "langchain";
import { z } from "zod";

const weather = tool(({ city }) => `It's always sunny in ${city}!`, {
  name: "get_weather",
  description: "Get the weather for a given city",
  schema: z.object({ city: z.string() }),
});
const model = new ChatOpenAI({ model: process.env.MODEL, maxTokens: 300 });
const messages = [{ role: "user", content: "What's the weather in Tokyo?" }];
const answer = await createAgent({ model, tools: [weather] }).invoke({ messages });
assert(answer.messages.at(-1).content);
const shaped = createAgent({ model, tools: [], responseFormat: z.object({ city: z.string(), sunny: z.boolean() }) });
assert.equal(typeof (await shaped.invoke({ messages })).structuredResponse.sunny, "boolean");
