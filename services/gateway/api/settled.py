"""What a stream sends of an answer before its search has ended, and what is left of the answer then."""

from shared.errors import Internal
from shared.records.events import Event, RoundFinished
from shared.records.evolution import Record


class SentBeginning:
    """What a stream has sent of an answer: the beginning of its `text`, and before that the whole `thought`."""

    def __init__(self, record: Record) -> None:
        self._tells_thoughts = record.request.include_reasoning
        self.text = ""
        self.thought = ""

    def settled_by(self, event: Event) -> tuple[str, str]:
        """What is to be sent now that this has happened, which then counts as sent: a thought, and text behind it.

        Raises:
            Internal: what is settled does not go on from what was sent.
        """
        text, thought = event.settled_answer if isinstance(event, RoundFinished) else ("", "")
        if not text:
            return "", ""
        new_thought = "" if self.text or not self._tells_thoughts else thought
        new_text = self._beyond(text)
        self.text, self.thought = text, self.thought + new_thought
        return new_thought, new_text

    def rest_of(self, text: str) -> str:
        """What is left of the answer's text.

        Raises:
            Internal: the answer does not begin with what was sent.
        """
        return self._beyond(text)

    def _beyond(self, text: str) -> str:
        if not text.startswith(self.text):
            raise Internal("the answer does not go on from what was sent of it")
        return text[len(self.text) :]
