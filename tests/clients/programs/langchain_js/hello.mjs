// The client's first example, and a stream.
import assert from "node:assert";
import { ChatOpenAI } from "@langchain/openai";

const model = new ChatOpenAI({ model: process.env.MODEL, maxTokens: 16 });
assert((await model.invoke("Say hello.")).content);
let text = "";
for await (const chunk of await model.stream("Describe the sea.")) text += chunk.content;
assert(text);
