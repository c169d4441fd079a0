// An answer in the shape of a zod schema.
import { ChatOpenAI } from "@langchain/openai";
import { z } from "zod";

const City = z.object({ name: z.string(), country: z.string() });
const model = new ChatOpenAI({ model: process.env.MODEL, maxTokens: 200 }).withStructuredOutput(City, {
  method: "jsonSchema",
});
City.parse(await model.invoke("Name a city and its country."));
