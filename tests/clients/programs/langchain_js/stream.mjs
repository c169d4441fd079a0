// A prompt, a model and a parser in a chain that streams; and what an answer used.
import assert from "node:assert";
import { StringOutputParser } from "@langchain/core/output_parsers";
import { ChatPromptTemplate } from "@langchain/core/prompts";
import { ChatOpenAI } from "@langchain/openai";

const model = new ChatOpenAI({ model: process.env.MODEL, maxTokens: 32, streamUsage: true, stop: ["\n\n"] });
const prompt = ChatPromptTemplate.fromMessages([["system", "Be brief."], ["user", "Describe {thing}."]]);
const parts = [];
for await (const part of await prompt.pipe(model).pipe(new StringOutputParser()).stream({ thing: "the sea" })) {
  parts.push(part);
}
assert(parts.join(""));
assert((await prompt.pipe(model).invoke({ thing: "a mountain" })).usage_metadata.output_tokens > 0);
