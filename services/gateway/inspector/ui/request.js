// What was asked of a recorded evolution, as the fields of a request that ask for it again.

// What shapes sampling besides temperature and the like, and stands in the settings where it has an effect.
const SHAPING = ["presence_penalty", "frequency_penalty", "repetition_penalty", "logit_bias", "min_p", "ignore_eos"];
// A form's kind, and the field of `structured_outputs` that demands it.
const FORMS = {
  json_object: () => ({ json_object: true }),
  json_schema: (definition) => ({ json: definition }),
  regex: (definition) => ({ regex: definition }),
  choice: (definition) => ({ choice: JSON.parse(definition) }),
  grammar: (definition) => ({ grammar: definition }),
};

const called = ({ id, name, arguments: given }) => ({ id, type: "function", function: { name, arguments: given } });

/** A recorded message as a request's. */
export function messageOf({ tool_calls: calls, ...message }) {
  return calls ? { ...message, tool_calls: calls.map(called) } : message;
}

/** Everything besides the messages, the settings of the form, and those of the search. */
export function fieldsOf({ settings, tools = [], tool_choice: choice = "auto", demanded_tool: name, ...recording }) {
  const offered = tools.map(({ parameters, ...tool }) => ({
    type: "function",
    function: { ...tool, ...(parameters && { parameters: JSON.parse(parameters) }) },
  }));
  return {
    ...Object.fromEntries(SHAPING.filter((field) => field in settings).map((field) => [field, settings[field]])),
    stop: settings.stop.length ? settings.stop : null,
    ...(settings.format && { structured_outputs: FORMS[settings.format.kind](settings.format.definition) }),
    ...("logprobs" in settings && { logprobs: true, top_logprobs: settings.logprobs }),
    chat_template_kwargs: settings.template_arguments ?? null,
    ...(offered.length && {
      tools: offered,
      tool_choice: name ? { type: "function", function: { name } } : choice,
      parallel_tool_calls: recording.parallel_tool_calls ?? true,
    }),
    user: recording.user,
    metadata: recording.metadata,
  };
}
