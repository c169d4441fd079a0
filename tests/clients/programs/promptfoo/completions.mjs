// An evaluation by the older completions API.
import assert from "node:assert";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const provider = {
  id: `openai:completion:${process.env.MODEL}`,
  config: { apiBaseUrl: process.env.OPENAI_BASE_URL, max_tokens: 16 },
};
const prompts = ["The {{what}} is"];
const tests = [{ vars: { what: "sea" }, assert: [{ type: "javascript", value: "output.length > 0" }] }];
writeFileSync("config.json", JSON.stringify({ prompts, providers: [provider], tests }));
const done = spawnSync("promptfoo", ["eval", "-c", "config.json", "-o", "out.json", "--no-cache"], { stdio: "inherit" });
const { results } = JSON.parse(readFileSync("out.json"));
assert.equal(results.stats.successes, tests.length, results.results.map(({ error }) => error).join("; "));
assert.equal(done.status, 0);
