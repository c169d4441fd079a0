"""How much a request may hold on its way: at the gateway's door, and in every stage behind it.

Each limit stands here and nowhere else. What the gateway lets a deployment set may only be stricter, and stages take
whatever the door takes: a request that was accepted is not refused for its size by anyone behind.
"""

MAX_MESSAGES = 512
"""Messages of a conversation."""
MAX_CONVERSATION_CHARACTERS = 400_000
"""Characters of a conversation: its texts and the calls of tools in it, as `shared.records.turns.characters_of` counts
them, and as text, which is how mutation and rewards read calls."""
MAX_GROWTH_CHARACTERS = 40_000
"""How much longer mutation may make an instruction: by the lines that it puts behind one, and by rewriting."""
MAX_PROMPT_CHARACTERS = MAX_CONVERSATION_CHARACTERS + MAX_GROWTH_CHARACTERS
"""Characters of a conversation with a mutant in the place of its instruction, and of such a mutant."""

MAX_NEW_TOKENS = 32_768
"""Tokens of a response."""
MAX_LOOKAHEAD = 512
"""Tokens that are decoded ahead of a response for its score only."""
MAX_TOKEN_BYTES = 32
"""What a token adds to a text at most, on average over so many; English has four or five. The longest tokens of today's
vocabularies are 128 spaces, of which a response of a quarter of `MAX_NEW_TOKENS` may consist."""
MAX_ANSWER_CHARACTERS = MAX_CONVERSATION_CHARACTERS + (MAX_NEW_TOKENS + MAX_LOOKAHEAD) * MAX_TOKEN_BYTES
"""Characters of an answer that is scored, the beginning that the caller gave it included."""

MAX_CYCLES, MAX_MUTANTS = 8, 32
MAX_PERIOD = 4_096
"""Tokens that a response grows by in a round."""
MAX_SEQUENCES = 256
"""Sequences of a generation call, and candidates of a score call."""
MAX_EXCLUDED = 4_096
"""Texts that a mutation may not repeat."""
MAX_CROSSOVER = 8
"""Responses that one mutant combines."""
MAX_QUOTED_CHARACTERS = 12_000
"""Characters of the responses that one mutant quotes, together. Marks before their lines at most double them, which
`MAX_GROWTH_CHARACTERS` leaves room for."""

MAX_WISHES, MAX_WISH_CHARACTERS = 16, 200
"""Wishes of a reward profile that mutants tell the language model, and characters of one."""

MAX_STOPS, MAX_STOP_CHARACTERS = 4, 256
MAX_TEMPERATURE = 2.0
MAX_PENALTY = 2.0
"""Presence and frequency penalties lie between this and its negative."""
LEAST_REPETITION_PENALTY, MAX_REPETITION_PENALTY = 0.01, 100.0
MAX_BIASES = 300
"""How many tokens may have a bias."""
MAX_BIAS = 100.0
"""Biases lie between this and its negative."""
MAX_LOGPROBS = 1_000_000
"""Log probabilities that one search may record, over all its responses."""
MOST_ALTERNATIVES = 20
"""For how many tokens the log probability may be asked for at each position."""

MAX_TOOLS = 128
MAX_SCHEMA_CHARACTERS = 65_536
"""Characters of one tool's parameters, as JSON."""
MAX_TOOLS_CHARACTERS = 2_000_000
"""Characters of all tools together: names, descriptions and parameters."""
MAX_CALLS = 128
"""Calls of one message."""
MAX_FORMAT_CHARACTERS = 65_536
"""Characters of the definition of a format."""
MAX_CHOICES_BYTES = 48_000
"""Bytes of the texts that a format lets a response choose among. Each may be a state of its lexer, which has 50,000."""
MAX_GRAMMAR_CHARACTERS = 4 * MAX_FORMAT_CHARACTERS
"""Characters of a grammar that is made of tools' schemas and a format, each of which keeps its own limit."""
MAX_TEMPLATE_ARGUMENTS = 4_096
"""Characters of the values that a caller gives the chat template, as JSON."""
MAX_NAME_CHARACTERS = 256
"""Characters of ids, salts and names of profiles."""

MAX_BODY_BYTES = 32 * 1024 * 1024
"""Bytes of a request's body."""
MAX_MESSAGE_BYTES = 128 * 1024 * 1024
"""Bytes of one message between the processes (gRPC). It holds the largest that the others allow: `MAX_MUTANTS` and
one more, each with an instruction of four-byte characters, or with an answer."""
