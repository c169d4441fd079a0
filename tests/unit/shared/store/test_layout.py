"""How the fields of a record are kept."""

from dataclasses import fields

from shared.records.evolution import Record
from shared.store import layout

APART = {"id", "version", "request", "state", "result", "trace", "whole"}
"""These stand beside the body and the progress, or follow from where they stand."""


def test_every_field_of_a_record_has_its_place() -> None:
    kept = [*APART, *layout._LASTING, *layout._CHANGING]
    assert sorted(kept) == sorted(field.name for field in fields(Record))
