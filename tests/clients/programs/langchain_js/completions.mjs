// The class for the older completions API, which refuses names of chat models: an answer and a stream.
import assert from "node:assert";
import { OpenAI } from "@langchain/openai";

const model = new OpenAI({ model: "gpt-3.5-turbo-instruct", maxTokens: 16 });
assert(await model.invoke("The sea is"));
let text = "";
for await (const part of await model.stream("A mountain is")) text += part;
assert(text);
