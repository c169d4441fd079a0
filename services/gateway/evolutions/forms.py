"""Whether the form that a request demands can be followed, before anything is spent on it."""

import json
from collections.abc import Iterator

from services.gateway.evolutions.compiler import FormatCompiler
from shared.errors import InvalidRequest
from shared.records.evolution import EvolutionRequest
from shared.records.formats import ResponseFormat
from shared.records.tools import Tool
from shared.text.grammars import COMPACT, arguments_schema


async def check_forms(request: EvolutionRequest, compiler: FormatCompiler) -> None:
    """Has the format of answers compiled, and the schemas of tools where calls are decoded under them.

    Raises:
        InvalidRequest: one of them cannot be followed; names the field, and says why.
        Internal: no process can be started that compiles.
    """
    wanted, use = request.sampling.format, request.tool_use
    if wanted is not None:
        if use.offered and use.choice == "auto" and not wanted.is_json:
            raise InvalidRequest(
                "a response cannot both be free to call tools and be held to this form: set tool_choice to none, or "
                "leave the form out",
                field=wanted.field,
            )
        problem = await compiler.problem(wanted)
        if problem is not None:
            kind = wanted.kind.replace("_", " ")
            raise InvalidRequest(f"the {kind} of {wanted.field} cannot be followed: {problem}", field=wanted.field)
    if wanted is None and use.choice != "required":
        return
    tools = [tool for tool in use.offered if use.name in ("", tool.name)]
    field = "functions" if use.as_functions else "tools"
    for whose, form in _forms_of_calls(tools, field, wanted if use.choice == "auto" else None):
        problem = await compiler.problem(form)
        if problem is not None:
            raise InvalidRequest(f"{whose} cannot be followed: {problem}", field=field)


def _forms_of_calls(
    tools: list[Tool], field: str, otherwise: ResponseFormat | None
) -> Iterator[tuple[str, ResponseFormat]]:
    """What the arguments of calls are, of each tool, and of all together with the answer that may come in their place,
    with words for it. Those together are at least as large as the form that responses are decoded under."""
    rules = []
    for tool in tools:
        whose = f"the parameters of {tool.name}"
        try:
            rules.append(f"%json {json.dumps(arguments_schema(tool.parameters))}")
        except ValueError as error:
            raise InvalidRequest(f"{whose} cannot be followed: {error}", field=field) from None
        yield whose, ResponseFormat("grammar", f"start: {rules[-1]}")
    if not rules:
        return
    whole = [f"start: calls{' | answer' if otherwise else ''}", r'calls: call (";\n" call){0,15}']
    if otherwise is not None:
        answer = json.loads(otherwise.definition or '{"type": "object"}')
        whole.append(f"answer: %json {json.dumps({**answer, 'x-guidance': COMPACT})}")
    whole.append(f"call: {' | '.join(f'call_{number}' for number in range(len(rules)))}")
    for number, (tool, rule) in enumerate(zip(tools, rules, strict=True)):
        begin = json.dumps(f'\n{{"name": {json.dumps(tool.name)}, "parameters": ')
        whole.append(f'call_{number}: "<tool_call>" {begin} arguments_{number} "}}\\n" "</tool_call>"')
        whole.append(f"arguments_{number}: {rule}")
    yield "the parameters of the tools together", ResponseFormat("grammar", "\n".join(whole))
