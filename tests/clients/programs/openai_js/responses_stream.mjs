// The responses API by its events, by the client's helper, and a second turn by the first one's id.
import assert from "node:assert";
import OpenAI from "openai";

const client = new OpenAI();
const asked = { model: process.env.MODEL, input: "Name a colour.", max_output_tokens: 32 };
const stream = client.responses.stream(asked);
let text = "";
for await (const event of stream) if (event.type === "response.output_text.delta") text += event.delta;
const first = await stream.finalResponse();
assert.equal(first.output_text, text);
const second = await client.responses.create({ ...asked, input: "Another one?", previous_response_id: first.id });
assert(second.output_text);
