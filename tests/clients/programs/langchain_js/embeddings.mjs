// Embeddings of documents and of a question.
import assert from "node:assert";
import { OpenAIEmbeddings } from "@langchain/openai";

const embeddings = new OpenAIEmbeddings({ model: process.env.MODEL });
const [sea, mountain] = await embeddings.embedDocuments(["the sea", "a mountain"]);
assert.notDeepEqual(sea, mountain);
assert.equal((await embeddings.embedQuery("water")).length, sea.length);
