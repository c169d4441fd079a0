from pathlib import Path

import pytest

from cli.evaluation.folder import Folder, FolderError, Log


def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    log = Log(file)
    log.append({"a": 1}, {"a": 2})
    log.close()
    with file.open("a") as stream:
        stream.write('{"a": 3')
    again = Log(file)
    again.append({"a": 4})
    assert [value["a"] for value in again] == [1, 2, 4]


def test_a_file_without_a_whole_line_is_emptied(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text('{"a"')
    assert list(Log(file)) == []


def test_a_folder_has_one_writer(tmp_path: Path) -> None:
    with (
        Folder(tmp_path, {"questions": 1}),
        pytest.raises(FolderError, match="another evaluation"),
        Folder(tmp_path, {"questions": 1}),
    ):
        pass


def test_a_folder_holds_one_evaluation(tmp_path: Path) -> None:
    with Folder(tmp_path, {"questions": 1, "models": 1}) as first:
        named = first.id
    with pytest.raises(FolderError, match="other questions:"), Folder(tmp_path, {"questions": 2, "models": 1}):
        pass
    with Folder(tmp_path, {"questions": 1, "models": 1}) as again:
        assert again.id == named
