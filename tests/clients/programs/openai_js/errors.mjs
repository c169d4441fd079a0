// A refusal raises what programs catch, with the name of the field at fault, and so does a wait that is too brief.
import assert from "node:assert";
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const asked = { model: process.env.MODEL, messages: [{ role: "user", content: "Say hello." }], max_tokens: 16 };
await assert.rejects(client.chat.completions.create({ ...asked, temperature: 9 }), (error) => {
  assert(error instanceof OpenAI.BadRequestError);
  assert.equal(error.param, "temperature");
  assert(error.requestID);
  return true;
});
await assert.rejects(client.chat.completions.create(asked, { timeout: 3 }), OpenAI.APIConnectionTimeoutError);
