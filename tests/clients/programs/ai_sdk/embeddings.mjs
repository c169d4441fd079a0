// Embeddings of two texts.
import assert from "node:assert";
import { createOpenAI } from "@ai-sdk/openai";
import { embedMany } from "ai";

const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
const { embeddings, usage } = await embedMany({
  model: openai.embedding(process.env.MODEL),
  values: ["the sea", "a mountain"],
});
assert.notDeepEqual(embeddings[0], embeddings[1]);
assert.ok(usage.tokens > 0);
