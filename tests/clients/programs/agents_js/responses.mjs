// The client's first example as it is, by the responses API.
import assert from "node:assert";
import { Agent, run, setTracingDisabled } from "@openai/agents";

setTracingDisabled(true);
const agent = new Agent({ name: "helper", instructions: "Be brief.", model: process.env.MODEL });
assert((await run(agent, "Say hello.")).finalOutput);
