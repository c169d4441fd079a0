// Embeddings of two texts.
import assert from "node:assert";
import OpenAI from "openai";

const found = await new OpenAI().embeddings.create({ model: process.env.MODEL, input: ["the sea", "a mountain"] });
assert.equal(found.data.length, 2);
assert.notDeepEqual(found.data[0].embedding, found.data[1].embedding);
