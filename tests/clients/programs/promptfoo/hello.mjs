// An evaluation of one prompt by the command line; it asserts that there is an answer.
import assert from "node:assert";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const provider = {
  id: `openai:chat:${process.env.MODEL}`,
  config: { apiBaseUrl: process.env.OPENAI_BASE_URL, max_tokens: 16 },
};
const tests = [{ vars: { what: "hello" }, assert: [{ type: "javascript", value: "output.length > 0" }] }];
writeFileSync("config.json", JSON.stringify({ prompts: ["Say {{what}}."], providers: [provider], tests }));
const done = spawnSync("promptfoo", ["eval", "-c", "config.json", "-o", "out.json", "--no-cache"], { stdio: "inherit" });
assert.equal(JSON.parse(readFileSync("out.json")).results.stats.successes, 1);
assert.equal(done.status, 0);
