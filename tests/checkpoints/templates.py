"""Chat templates: those of real model families, read from installed wheels, and one of each further kind."""

import importlib.util
import re
from functools import cache
from pathlib import Path

from jinja2 import nodes
from transformers.utils.chat_template_utils import _compile_jinja_template

# Which wheels hold chat templates, and where in them.
_FOLDERS = {"trl": "chat_templates", "vllm": "transformers_utils/chat_templates"}
_CONTROL = re.compile(
    r"<\|[^|<>\s]{1,40}\|?>|<[a-z_]{1,40}\|>|<｜[^｜<>]{1,40}｜>|\[/?[A-Za-z_]{2,40}\]|</?[A-Za-z_][\w:]{0,40}>|</s>"
)
# What families spell as a tag but do not have as a token of its own.
_PLAIN = re.compile(
    r"</?(tools|IMPORTANT|function|parameters?|name|type|description|enum|required|SYS|atem:.*|tool_output)>"
)
# Added tokens that are not special: a tokenizer decodes them as text.
_VISIBLE = re.compile(r"</?(think|tool_call|tool_response|arg_key|arg_value)>")


@cache
def real_templates() -> dict[str, str]:
    """The templates that wheels hold, by wheel and file name. A wheel that is not installed adds none."""
    found: dict[str, str] = {}
    for package, folder in _FOLDERS.items():
        # Found, not imported: trl needs what is not installed, vllm takes seconds.
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            for path in sorted((Path(spec.origin).parent / folder).glob("*.jinja")):
                found[f"{package}/{path.stem}"] = path.read_text(encoding="utf-8")
    return found


@cache
def control_tokens(template: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What looks like a control token in a template's own text: special ones, then those that are not special."""
    environment = _compile_jinja_template(template).environment
    tree = environment.parse(template)
    texts = [node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str)]
    texts += [node.data for node in tree.find_all(nodes.TemplateData)]
    found = sorted({token for text in texts for token in _CONTROL.findall(text) if not _PLAIN.fullmatch(token)})
    visible = tuple(token for token in found if _VISIBLE.fullmatch(token))
    return tuple(token for token in found if token not in visible), visible


_ALTERNATE = """
{%- for message in turns -%}
  {%- if (message.role == 'user') != (loop.index0 % 2 == 0) -%}
    {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') -}}
  {%- endif -%}
{%- endfor -%}"""
_SPLIT = """
{%- if messages[0].role == 'system' -%}
  {%- set system = messages[0].content -%}{%- set turns = messages[1:] -%}
{%- else -%}
  {%- set system = '' -%}{%- set turns = messages -%}
{%- endif -%}"""
_PROMPT = "{%- if add_generation_prompt -%}{{- '<|assistant|>\\n' -}}{%- endif -%}"
_TURN = "{{- '<|' + message.role + '|>\\n' + message.content + '<|end|>\\n' -}}"
_TURNS = "{%- for message in messages -%}" + _TURN + "{%- endfor -%}" + _PROMPT

# One of each kind. Written here because no wheel holds one, or so that the kind stands alone.
KINDS = {
    "plain": _TURNS,
    # Mistral 7B v0.3, Nemo, Mixtral: the system text goes into the last user turn, and nowhere if that is not the end.
    "system in the last user turn": _SPLIT
    + _ALTERNATE
    + """{{- bos_token -}}{%- for message in turns -%}{%- if message.role == 'user' -%}
    {{- '[INST] ' + (system + '\\n\\n' if loop.last and system else '') + message.content + ' [/INST]' -}}
    {%- else -%}{{- ' ' + message.content + eos_token -}}{%- endif -%}{%- endfor -%}""",
    # Llama 2.
    "system in the first user turn": _SPLIT
    + _ALTERNATE
    + """{%- for message in turns -%}{%- if message.role == 'user' -%}
    {{- bos_token + '[INST] ' + ('<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' if loop.first and system else '') -}}
    {{- message.content.strip() + ' [/INST]' -}}
    {%- else -%}{{- ' ' + message.content.strip() + ' ' + eos_token -}}{%- endif -%}{%- endfor -%}""",
    # The first template of Phi-3: a system message is no error, and nowhere to be seen.
    "system never printed": "{%- for message in messages -%}{%- if message.role != 'system' -%}"
    + _TURN
    + "{%- endif -%}{%- endfor -%}"
    + _PROMPT,
    # Also Phi-3's first: whatever is not the user's is the assistant's, so a system text would be its words.
    "system as the assistant": """{{- bos_token -}}{%- for message in messages -%}{%- if message.role == 'user' -%}
    {{- '<|user|>\\n' + message.content + '<|end|>\\n<|assistant|>\\n' -}}
    {%- else -%}{{- message.content + '<|end|>\\n' -}}{%- endif -%}{%- endfor -%}""",
    # Gemma 1 and 2, Mistral 7B v0.1.
    "system refused": "{%- if messages[0].role == 'system' -%}"
    + "{{- raise_exception('System role not supported') -}}{%- endif -%}{%- set turns = messages -%}"
    + _ALTERNATE
    + _TURNS,
    "alternation": _SPLIT + _ALTERNATE + _TURNS,
    "user first": _SPLIT
    + "{%- if turns[0].role != 'user' -%}"
    + "{{- raise_exception('A conversation must start with a user message') -}}{%- endif -%}"
    + _TURNS,
    "user last": "{%- if add_generation_prompt and messages[-1].role != 'user' -%}"
    "{{- raise_exception('The last message must be from the user') -}}{%- endif -%}" + _TURNS,
    # Loops over a string's characters, none of which is a part, and prints nothing.
    "parts": "{%- for message in messages -%}{{- '<|' + message.role + '|>\\n' -}}{%- for part in message.content -%}"
    "{%- if part.type == 'text' -%}{{- part.text -}}{%- endif -%}{%- endfor -%}{{- '<|end|>\\n' -}}{%- endfor -%}"
    + _PROMPT,
    "trims": _TURNS.replace("message.content", "(message.content | trim)"),
    # Qwen3, R1: looks into the content for what was thought, and leaves it out of the history.
    "thinking stripped": "{%- for message in messages -%}{%- set content = message.content -%}"
    "{%- if message.role == 'assistant' and '</think>' in content -%}"
    "{%- set content = content.split('</think>')[-1].lstrip('\\n') -%}{%- endif -%}"
    + _TURN.replace("message.content", "content")
    + "{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|assistant|>\\n<think>\\n' -}}{%- endif -%}",
    # Qwen3.5, GLM 4.5, LFM2.5: looks into what a macro has printed.
    "thinking stripped from a macro's text": "{%- macro text(content) -%}{{- content -}}{%- endmacro -%}"
    "{%- for message in messages -%}{%- set content = text(message.content) -%}"
    "{%- if message.role == 'assistant' and '</think>' in content -%}"
    "{%- set content = content.split('</think>')[-1] | trim -%}{%- endif -%}"
    + _TURN.replace("message.content", "content")
    + "{%- endfor -%}"
    + _PROMPT,
    # As Gemma 4, whose thoughts stand between special tokens.
    "special thinking stripped": "{%- for message in messages -%}"
    "{%- set content -%}{%- if message.role == 'assistant' -%}"
    "{%- for part in message.content.split('<|end_thought|>') -%}{{- part.split('<|thought|>')[0] -}}{%- endfor -%}"
    "{%- else -%}{{- message.content -}}{%- endif -%}{%- endset -%}"
    + _TURN.replace("message.content", "(content | trim)")
    + "{%- endfor -%}"
    + _PROMPT,
    # As Qwen3 with its thinking, but with special tokens: what is thought in the last answer stays.
    "special thinking stripped before the end": "{%- for message in messages -%}{%- set content = message.content -%}"
    "{%- if message.role == 'assistant' and not loop.last and '<|end_thought|>' in content -%}"
    "{%- set content = content.split('<|end_thought|>')[-1] -%}{%- endif -%}"
    + _TURN.replace("message.content", "content")
    + "{%- endfor -%}"
    + _PROMPT,
    "json after some turns": _TURNS.replace(
        "message.content", "(message.content | tojson if loop.index > 2 else message.content)"
    ),
    "characters": _TURNS.replace("message.content", "(message.content | list | join)"),
    "filters": _TURNS.replace(
        "message.content", "('%s' | format(message.content | replace('zz', 'z') | indent(0)) ~ '')"
    ),
    "json": _TURNS.replace("message.content", "(message.content | tojson)"),
    "message repeated": "{%- for message in messages -%}"
    + _TURN
    + "{%- endfor -%}{{- '<|reminder|>' + messages[-1].content + '<|end|>\\n' -}}"
    + _PROMPT,
    "date": "{{- '<|system|>\\nToday is ' + strftime_now('%d %B %Y') + '.<|end|>\\n' -}}" + _TURNS,
    "bos and eos": "{{- bos_token -}}"
    + _TURNS.replace("'<|end|>\\n'", "'<|end|>' + (eos_token if message.role == 'assistant' else '') + '\\n'"),
}
# The tokens of KINDS: special ones, then added ones that are not.
KIND_TOKENS = (
    (
        "<|system|>",
        "<|user|>",
        "<|assistant|>",
        "<|end|>",
        "<|reminder|>",
        "[INST]",
        "[/INST]",
        "<|thought|>",
        "<|end_thought|>",
    ),
    ("<think>", "</think>"),
)
