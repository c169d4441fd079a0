// The client's first example, by the chat completions API.
import assert from "node:assert";
import { Agent, run, setOpenAIAPI, setTracingDisabled } from "@openai/agents";

setTracingDisabled(true);
setOpenAIAPI("chat_completions");
const agent = new Agent({ name: "helper", instructions: "Be brief.", model: process.env.MODEL });
assert((await run(agent, "Say hello.")).finalOutput);
