"""`darwin show`: the lineage of an evolution in the terminal."""

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.text import Text

from cli import view
from cli.console import reported
from cli.history import sources
from cli.history.archive import archive_tree
from cli.history.lineage import pieces
from cli.history.population import population_tables
from cli.history.recording import SavedRecording
from cli.history.timeline import mishaps, waterfall
from cli.history.trees import answer_table, tree

_SETTINGS = (
    *("cycles", "mutants", "period", "survivors", "max_tokens", "seed"),
    *("token_price", "max_generated_tokens", "max_reward_calls", "deadline_ms"),
)


def show(source: sources.RecordingSource, url: sources.Url = None) -> None:
    """Show where an answer came from: mutants, rewards, replacements, and what took how long."""
    console = Console()
    with reported(Console(stderr=True)):
        recording = sources.opened(source, url)
    for part in parts(recording, console.width):
        console.print(part)


def parts(recording: SavedRecording, width: int) -> Iterator[RenderableType]:
    """Everything there is to show, from top to bottom, for a terminal of `width` columns."""
    yield _head(recording)
    yield from _titled("archive", tree(archive_tree(recording)))
    yield from population_tables(recording, width)
    result = recording.result
    if result and result.choices:
        yield from _titled("who wrote the answer", answer_table(pieces(recording, result.choices[0])))
        yield from _titled("answer", view.outcome(recording.model_dump(mode="json")))
    if recording.attempts:
        yield from _titled("calls", waterfall(recording))
    if (table := mishaps(recording)) is not None:
        yield from _titled("attempts that failed, paused or were lost", table)


def _titled(title: str, part: RenderableType) -> Iterator[RenderableType]:
    yield ""
    yield Rule(title, align="left", style="cyan")
    yield part


def _head(recording: SavedRecording) -> Text:
    head = Text(recording.id, style="bold")
    head.append(f"\n{recording.method}, {recording.status}", style="default not bold")
    if recording.finished_at is not None:
        head.append(f" after {recording.finished_at - recording.created_at:.2f} s", style="default not bold")
    if recording.error:
        head.append(f"\n{recording.error.code}: {view.plain(recording.error.message)}", style="red not bold")
    head.append(f"\n{_settings(recording)}", style="dim not bold")
    if profile := recording.settings.profile:
        owner = recording.settings.profile_owner
        head.append(f"\nreward profile {profile}" + (f" of tenant {owner}" if owner else ""), style="default not bold")
    head.append(f"\ntrace {recording.trace_id or 'not recorded'}", style="default not bold")
    return head


def _settings(recording: SavedRecording) -> str:
    """What shaped the search, its limits where it had some."""
    given = recording.settings.model_dump(include=set(_SETTINGS), exclude_none=True)
    return ", ".join(f"{name} {given[name]}" for name in _SETTINGS if name in given)
