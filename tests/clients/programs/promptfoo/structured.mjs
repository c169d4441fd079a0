// An evaluation whose answers must be JSON of a schema, which the server keeps.
import assert from "node:assert";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const schema = {
  type: "object",
  properties: { name: { type: "string" }, country: { type: "string" } },
  required: ["name", "country"],
  additionalProperties: false,
};
const response_format = { type: "json_schema", json_schema: { name: "city", strict: true, schema } };
const provider = {
  id: `openai:chat:${process.env.MODEL}`,
  config: { apiBaseUrl: process.env.OPENAI_BASE_URL, max_tokens: 400, response_format },
};
const prompts = ["Name a city in {{where}}."];
const tests = ["France", "Italy"].map((where) => ({ vars: { where }, assert: [{ type: "is-json", value: schema }] }));
writeFileSync("config.json", JSON.stringify({ prompts, providers: [provider], tests }));
const done = spawnSync("promptfoo", ["eval", "-c", "config.json", "-o", "out.json", "--no-cache"], { stdio: "inherit" });
const { results } = JSON.parse(readFileSync("out.json"));
assert.equal(results.stats.successes, tests.length, results.results.map(({ error }) => error).join("; "));
assert.equal(done.status, 0);
