// An evaluation whose answers must be calls of a tool, under its schema.
import assert from "node:assert";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const parameters = { type: "object", properties: { city: { enum: ["Paris", "Rome"] } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "weather", description: "The weather.", parameters } }];
const provider = {
  id: `openai:chat:${process.env.MODEL}`,
  config: { apiBaseUrl: process.env.OPENAI_BASE_URL, max_tokens: 200, tools, tool_choice: "required" },
};
const prompts = ["What is the weather in {{where}}?"];
const tests = [{ vars: { where: "Paris" }, assert: [{ type: "is-valid-openai-tools-call" }] }];
writeFileSync("config.json", JSON.stringify({ prompts, providers: [provider], tests }));
const done = spawnSync("promptfoo", ["eval", "-c", "config.json", "-o", "out.json", "--no-cache"], { stdio: "inherit" });
const { results } = JSON.parse(readFileSync("out.json"));
assert.equal(results.stats.successes, tests.length, results.results.map(({ error }) => error).join("; "));
assert.equal(done.status, 0);
