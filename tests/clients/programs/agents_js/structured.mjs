// An agent whose final output has the shape of a zod schema.
import assert from "node:assert";
import { Agent, run, setOpenAIAPI, setTracingDisabled } from "@openai/agents";
import { z } from "zod";

setTracingDisabled(true);
setOpenAIAPI("chat_completions");
const outputType = z.object({ name: z.string(), participants: z.array(z.string()) });
const agent = new Agent({ name: "helper", instructions: "Extract events.", model: process.env.MODEL, outputType });
assert(Array.isArray((await run(agent, "Ann and Bob go to a fair.")).finalOutput.participants));
