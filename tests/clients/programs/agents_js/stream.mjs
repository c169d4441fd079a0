// An agent's text as it streams, and a second turn with the first one's history.
import assert from "node:assert";
import { Agent, run, setOpenAIAPI, setTracingDisabled, user } from "@openai/agents";

setTracingDisabled(true);
setOpenAIAPI("chat_completions");
const agent = new Agent({ name: "helper", instructions: "Be brief.", model: process.env.MODEL });
const stream = await run(agent, "Name a colour.", { stream: true });
let text = "";
for await (const part of stream.toTextStream()) text += part;
await stream.completed;
assert.equal(text, stream.finalOutput);
assert((await run(agent, [...stream.history, user("And another one?")])).finalOutput);
