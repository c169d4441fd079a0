from pathlib import Path

import pytest
from pydantic import Field

from shared.errors import NotFound
from shared.process.settings import DarwinSettings, SettingsError, refusing


class House(DarwinSettings):
    door: int = 1
    key: str = Field(default="none", validation_alias="DARWIN_HOUSE_KEY")


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as Kubernetes mounts a secret: links to links."""
    data = tmp_path / "..2026_01_01"
    data.mkdir()
    (data / "darwin_door").write_text("7\n")
    (data / "darwin_house_key").write_text("hunter2\n")
    (tmp_path / "..data").symlink_to(data.name)
    for file in data.iterdir():
        (tmp_path / file.name).symlink_to(f"..data/{file.name}")
    monkeypatch.setenv("DARWIN_SECRETS_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("secrets")
def test_files_of_the_secrets_folder_are_settings_below_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (House().door, House().key) == (7, "hunter2")
    monkeypatch.setenv("DARWIN_DOOR", "8")
    assert (House().door, House().key) == (8, "hunter2")


def test_a_secrets_folder_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DARWIN_SECRETS_DIR", str(tmp_path / "nothing"))
    with pytest.raises(SettingsError, match="no such folder"):
        House()


def test_a_wrong_setting_is_one_line_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARWIN_DOOR", "hunter2")
    with pytest.raises(SystemExit) as refused, refusing("house"):
        House()
    assert str(refused.value) == "house: door: Input should be a valid integer, unable to parse string as an integer"
    with pytest.raises(ValueError, match="door") as raised:
        House()
    assert "hunter2" not in str(raised.value)


def test_our_own_errors_are_refusals_and_others_are_not() -> None:
    with pytest.raises(SystemExit, match="house: no such door"), refusing("house"):
        raise NotFound("no such door")
    with pytest.raises(ZeroDivisionError), refusing("house"):
        _ = 1 / 0
