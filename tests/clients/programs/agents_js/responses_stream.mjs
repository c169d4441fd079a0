// An agent's text by the responses API as it streams, and a second turn by the first one's id.
import assert from "node:assert";
import { Agent, run, setTracingDisabled } from "@openai/agents";

setTracingDisabled(true);
const agent = new Agent({ name: "helper", instructions: "Be brief.", model: process.env.MODEL });
const stream = await run(agent, "Name a colour.", { stream: true });
let text = "";
for await (const part of stream.toTextStream()) text += part;
await stream.completed;
assert.equal(text, stream.finalOutput);
assert((await run(agent, "And another one?", { previousResponseId: stream.lastResponseId })).finalOutput);
