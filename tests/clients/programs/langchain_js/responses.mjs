// The class for OpenAI by the responses API: an answer and a stream.
import assert from "node:assert";
import { ChatOpenAI } from "@langchain/openai";

const model = new ChatOpenAI({ model: process.env.MODEL, maxTokens: 32, useResponsesApi: true });
assert((await model.invoke("Say hello.")).text);
let text = "";
for await (const chunk of await model.stream("Describe the sea.")) text += chunk.text;
assert(text);
