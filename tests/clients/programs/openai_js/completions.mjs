// The older completions API, whole and as it streams.
import assert from "node:assert";
import OpenAI from "openai";

const client = new OpenAI();
const asked = { model: process.env.MODEL, prompt: "The sea is", max_tokens: 16 };
assert((await client.completions.create(asked)).choices[0].text);
let text = "";
for await (const chunk of await client.completions.create({ ...asked, stream: true })) {
  text += chunk.choices[0]?.text ?? "";
}
assert(text);
