// The class for the older completions API: an answer and a stream.
import assert from "node:assert";
import { OpenAI } from "@langchain/openai";

const model = new OpenAI({ model: process.env.MODEL, maxTokens: 16 });
assert(await model.invoke("The sea is"));
let text = "";
for await (const part of await model.stream("A mountain is")) text += part;
assert(text);
