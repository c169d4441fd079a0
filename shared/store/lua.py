"""Lua scripts for Redis as objects whose keys and arguments have names."""

import hashlib
from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoScriptError

ScriptValue = str | int | float


class Script:
    """A script whose text uses its keys and arguments by name, and which is called with the same names as keywords.

    `keys` and `args` list the names, separated by spaces. A name that begins with `*` stands for a list, in Lua as in
    the call; such names come last, and the lists of `keys` (and likewise those of `args`) have one length. The text
    begins with a line of Lua that gives each name its element of `KEYS` or `ARGV`, so no number occurs in it.
    """

    def __init__(self, text: str, *, keys: str, args: str) -> None:
        self._keys, self._args = _Names("KEYS", keys), _Names("ARGV", args)
        self._names = self._keys.names | self._args.names
        self.text = f"{self._keys.lua}{self._args.lua}{text}"
        self._sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def parameters(self, **values: ScriptValue | Sequence[ScriptValue]) -> tuple[list[ScriptValue], list[ScriptValue]]:
        """`KEYS` and `ARGV` of a call with these values.

        Raises:
            TypeError: a name has no value, or a value has no such name.
            ValueError: lists differ in length.
        """
        if values.keys() != self._names:
            missing, unknown = sorted(self._names - values.keys()), sorted(values.keys() - self._names)
            raise TypeError(f"a script lacks {missing} and does not know {unknown}")
        return self._keys.ordered(values), self._args.ordered(values)

    async def __call__(self, redis: Any, **values: ScriptValue | Sequence[ScriptValue]) -> Any:
        """Runs the script on this client, which sends its text only where the server has not seen it; what it returns.

        Raises as `parameters` does, and what the client raises.
        """
        keys, args = self.parameters(**values)
        try:
            return await redis.evalsha(self._sha, len(keys), *keys, *args)
        except NoScriptError:
            await redis.script_load(self.text)
            return await redis.evalsha(self._sha, len(keys), *keys, *args)


class _Names:
    """The names of one of Lua's two tables, in its order: single values first, then lists, element by element."""

    def __init__(self, table: str, names: str) -> None:
        listed = names.split()
        self._single = [name for name in listed if not name.startswith("*")]
        self._lists = [name.removeprefix("*") for name in listed[len(self._single) :]]
        self.names = {*self._single, *self._lists}
        if listed != self._single + [f"*{name}" for name in self._lists]:
            raise ValueError(f"lists come last: {names}")
        self.lua = self._lua_of_single(table) + self._lua_of_lists(table)

    def ordered(self, values: dict[str, Any]) -> list[ScriptValue]:
        lists = zip(*(values[name] for name in self._lists), strict=True)
        return [values[name] for name in self._single] + [value for together in lists for value in together]

    def _lua_of_single(self, table: str) -> str:
        if not self._single:
            return ""
        elements = ", ".join(f"{table}[{number}]" for number in range(1, len(self._single) + 1))
        return f"local {', '.join(self._single)} = {elements}\n"

    def _lua_of_lists(self, table: str) -> str:
        if not self._lists:
            return ""
        first, step = len(self._single) + 1, len(self._lists)
        indices = ["i", *(f"i + {offset}" for offset in range(1, step))]
        pairs = zip(self._lists, indices, strict=True)
        appended = "".join(f" {name}[#{name} + 1] = {table}[{index}]" for name, index in pairs)
        declared = f"local {', '.join(self._lists)} = {', '.join(['{}'] * step)}\n"
        return f"{declared}for i = {first}, #{table}, {step} do{appended} end\n"
