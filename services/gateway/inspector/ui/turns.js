// The turns of a conversation; the same rules as `shared/records/turns.py`.

/** Where the instruction stands: the last user's turn, or without one the last system text. */
export function instructionIndex(messages) {
  const roles = messages.map((message) => message.role);
  return Math.max(0, roles.includes("user") ? roles.lastIndexOf("user") : roles.lastIndexOf("system"));
}
