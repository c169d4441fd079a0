import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from services.reward import identity as module
from services.reward.identity import identity, identity_of_components
from services.reward.profiles import ProfileFile
from services.reward.runtime import Runtime
from shared.errors import NotFound, Unavailable
from tests.unit.reward.heads import save_knowing_head


def digest(runtime: Runtime | None = None, **component: Any) -> str:
    made = {"name": "it", "weight": 1.0, **component}
    return identity(ProfileFile.model_validate({"components": [made]}), runtime or Runtime(dtype="float32"))


@pytest.fixture(autouse=True)
def small_trunk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "trunk").mkdir()
    (tmp_path / "trunk" / "config.json").write_text("{}")
    monkeypatch.setattr(
        module, "resolve", lambda name: str(tmp_path / "trunk") if name == "smollm2-135m-instruct" else name
    )


def test_the_same_head_in_another_place_is_the_same_reward(tmp_path: Path) -> None:
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).write_bytes(content)
    first, moved, trained_anew = (digest(type="quality", head=str(tmp_path / name)) for name in "abc")
    assert first == moved != trained_anew
    (tmp_path / "trunk" / "config.json").write_text("{ }")
    assert digest(type="quality", head=str(tmp_path / "a")) != first
    with pytest.raises(NotFound, match="there is no"):
        digest(type="quality", head=str(tmp_path / "d"))


def test_a_checkpoint_is_all_files_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "part").mkdir(parents=True)
    (folder / "part" / "weights").write_bytes(b"1")
    first = digest(type="classifier", model=str(folder))
    (folder / ".cache").write_bytes(b"x")
    assert digest(type="classifier", model=str(folder)) == first
    (folder / "part" / "weights").write_bytes(b"2")
    changed = digest(type="classifier", model=str(folder))
    (folder / "part" / "weights").rename(folder / "part" / "other")
    assert len({first, changed, digest(type="classifier", model=str(folder))}) == 3


def test_a_length_curve_makes_it_another_reward_of_the_same_components(tmp_path: Path) -> None:
    component = {"name": "it", "type": "guard", "weight": 1.0}
    file = tmp_path / "curve.json"
    plain, curved = (
        ProfileFile.model_validate({"components": [component], "length_curve": curve}) for curve in (None, str(file))
    )
    found = {identity(plain, Runtime())}
    for content in (b"1", b"2"):
        file.write_bytes(content)
        found.add(identity(curved, Runtime()))
    assert len(found) == 3
    assert identity_of_components(plain) == identity_of_components(curved)


def test_what_stands_beside_a_heads_weights_counts_where_scores_depend_on_it(tmp_path: Path) -> None:
    def components(limit: float, **fields: Any) -> str:
        head = {"name": "it", "type": "quality", "weight": 1.0, "head": save_knowing_head(tmp_path, limit)} | fields
        return identity_of_components(ProfileFile.model_validate({"components": [head]}))

    assert components(1.0) == components(2.0) == components(1.0, head="quality.safetensors")
    assert components(1.0, kappa=1.0) != components(2.0, kappa=1.0)
    assert components(1.0, head="quality_permissive.safetensors") != components(1.0)
    with pytest.raises(NotFound, match="there is no"):
        components(1.0, head=str(tmp_path / "absent"))


def test_number_type_and_settings_count_and_names_do_not() -> None:
    first = digest(type="guard")
    assert digest(type="guard", name="other") == first
    assert len({first, digest(type="guard", weight=2.0), digest(Runtime(dtype="bfloat16"), type="guard")}) == 3


@contextmanager
def server(answers: dict[str, Any]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers.get(self.path, {})).encode()
            self.send_response(200 if self.path in answers else 404)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    listening = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}"
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("api", "path", "models"),
    [
        ("vllm-classify", "/v1/models", [{"data": [{"id": "rm", "root": root, "created": 1}]} for root in "ab"]),
        ("tei-predict", "/info", [{"model_id": "rm", "model_sha": sha} for sha in "ab"]),
    ],
)
def test_a_server_is_known_by_the_model_that_it_reports(api: str, path: str, models: list[Any]) -> None:
    answers = {path: models[0]}
    with server(answers) as url:
        first = digest(type="http", api=api, url=url)
        assert digest(type="http", api=api, url=url) == first
        answers[path] = models[1]
        second = digest(type="http", api=api, url=url)
        del answers[path]
        assert len({first, second, digest(type="http", api=api, url=url)}) == 3
    with pytest.raises(Unavailable, match="cannot be reached"):
        digest(type="http", api=api, url=url)


def test_a_judge_is_known_by_its_criteria_and_by_the_model_that_its_endpoint_reports() -> None:
    answers = {"/v1/models": {"data": [{"id": "judge", "root": "a"}]}}
    with server(answers) as url:

        def judged(criterion: str = "It is true.") -> str:
            return digest(type="rubric", url=f"{url}/v1", model="judge", criteria=[criterion])

        first, other = judged(), judged("It is short.")
        assert judged() == first
        answers["/v1/models"] = {"data": [{"id": "judge", "root": "b"}]}
        assert len({first, other, judged()}) == 3
