from pathlib import Path

import pytest

from services.reward.bootstrap import build_rewarder
from services.reward.identity import identity_of_component, identity_of_components
from services.reward.length import LengthCurve
from services.reward.profiles import SHIPPED, ProfileFile, load_profiles, read_profile
from services.reward.reference import Reference, Sample
from services.reward.registry import ClassifierSpec
from services.reward.settings import RewardSettings
from shared.errors import InvalidRequest, NotFound

MODEL = "{name: a, type: classifier, weight: 1, model: x"
SERVER = "{name: a, type: http, weight: 1, url: 'http://127.0.0.1:1'"
LISTED = "chat_template_arguments: {a: [1]}"
ENDLESS = "chat_template_arguments: {a: .inf}"
RULE = "components: [{{name: r, type: rules, weight: 1, checks: [{{name: c, {}}}]}}]"
BOTH = "name: both, weight: 1"
RUBRIC = "{name: a, type: rubric, weight: 1"
GUARD = "components: [{name: guard, type: guard, weight: 1}]"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def test_every_shipped_profile_is_valid() -> None:
    names = [path.stem for path in SHIPPED.glob("*.yaml")]
    assert {"default", "simulated"} <= set(names)
    assert set(load_profiles(names, None)) == set(names)


def test_the_calibrated_profile_is_the_default_less_what_length_predicts() -> None:
    rewarder = build_rewarder(RewardSettings(profiles="default,calibrated"))
    default, calibrated = rewarder.profiles["default"], rewarder.profiles["calibrated"]
    assert calibrated.components == default.components
    assert default.length_curve is None
    assert calibrated.length_curve is not None
    assert calibrated.length_curve.predicted("word " * 300) > 0.5 + calibrated.length_curve.predicted("word " * 5)


def test_the_default_is_quality_guard_form_and_relevance() -> None:
    default = load_profiles(["default"], None)["default"]
    assert [component.type for component in default.components] == ["quality", "guard", "form", "relevance"]


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ("components: [{name: a, type: magic, weight: 1}]", "components.0", "'magic'"),
        ("components: [{name: a, type: guard, weight: .nan}]", "components.0.weight", "finite"),
        ("components: [{name: a, type: guard, weight: .inf}]", "components.0.weight", "finite"),
        ("components: [{name: a, type: guard}]", "components.0.weight", "is missing"),
        ("components: [{name: a, type: guard, weight: 1, wieght: 2}]", "components.0.wieght", "no setting"),
        ("components: [{name: A B, type: guard, weight: 1}]", "components.0.name", "a-z"),
        ("components: [{name: a, type: relevance, weight: 1, threshold: 2}]", "components.0.threshold", "1"),
        ("components: [{name: a, type: classifier, weight: 1}]", "components.0.model", "is missing"),
        (f"components: [{RUBRIC}, criteria: []}}]", "components.0.criteria", "at least 1"),
        (f"components: [{RUBRIC}, criteria: ['']}}]", "components.0.criteria.0.text", "must not be empty"),
        (f"components: [{RUBRIC}, criteria: [' ']}}]", "components.0.criteria.0.text", "must not be empty"),
        (f"components: [{RUBRIC}, criteria: [{{text: a, weight: 0}}]}}]", "components.0.criteria.0", "not be 0"),
        (f"components: [{RUBRIC}, criteria: [{'a' * 501}]}}]", "components.0.criteria.0.text", "at most 500"),
        (f"components: [{RUBRIC}, criteria: [{'a, ' * 17}]}}]", "components.0.criteria", "at most 16"),
        (f"components: [{RUBRIC}, criteria: [a], url: 'http://h'}}]", "components.0", "url needs a model"),
        (f"components: [{RUBRIC}, criteria: [a], model: m}}]", "components.0", "need a url"),
        (
            "components: [{name: a, type: guard, weight: 1}, {name: a, type: simulated, weight: 1}]",
            "components",
            "two components 'a'",
        ),
        (f"components: [{MODEL}, segments: 3}}]", "components.0.segments", "1 or 2"),
        (f"components: [{MODEL}, output: [1]}}]", "components.0.output", "number of an output"),
        (f"components: [{MODEL}, output: -1}}]", "components.0.output", "number of an output"),
        (f"components: [{MODEL}, output: true}}]", "components.0.output", "number of an output"),
        (f"components: [{MODEL}, system: hide}}]", "components.0.system", "'fold'"),
        (f"components: [{MODEL}, dtype: fp8}}]", "components.0.dtype", "'bfloat16'"),
        (f"components: [{MODEL}, device: gpu0}}]", "components.0.device", "cuda:0"),
        (
            f"components: [{MODEL}, chat_template_arguments: {{a: [1]}}}}]",
            "components.0.chat_template_arguments",
            "'a'",
        ),
        (
            f"components: [{MODEL}, chat_template_arguments: {{a: .inf}}}}]",
            "components.0.chat_template_arguments",
            "'a'",
        ),
        (f"components: [{MODEL}, trust_remote_code: true}}]", "components.0", "local folder"),
        (f"components: [{MODEL}, trust_remote_code: true, revision: main}}]", "components.0", "40 hex"),
        (f"components: [{SERVER}, api: magic}}]", "components.0.api", "'tei-predict'"),
        (f"components: [{SERVER}, api: openrlhf, key_env: a b}}]", "components.0.key_env", "environment variable"),
        (f"components: [{SERVER}, api: openrlhf, key_env: A, key_file: B}}]", "components.0", "exclude"),
        (f"components: [{SERVER}, api: openrlhf, output: good}}]", "components.0", "a number"),
        (f"components: [{SERVER}, api: tei-predict, output: 1}}]", "components.0", "a label's name"),
        (f"components: [{SERVER}, api: openrlhf, segments: 2}}]", "components.0", "one text"),
        (f"components: [{SERVER}, api: vllm-classify, system: fold}}]", "components.0", "tokenizer"),
        ("components: [{name: a, weight: 1}]", "components.0", "needs a type"),
        ("components: [{name: a, type: quality, weight: 1, kappa: -1}]", "components.0.kappa", "at least 0"),
        ("components: [{name: a, type: quality, weight: 1, abstain: 1}]", "components.0.abstain", "true or false"),
        ("length_curve: c.json\ncomponents: [{name: length, type: guard, weight: 1}]", "profile", "'length'"),
        (RULE.format("type: length, unit: words"), "components.0.checks.0", "a min, a max or both"),
        (RULE.format("type: length, unit: words, min: 3, max: 2"), "components.0.checks.0", "above its max"),
        (RULE.format("type: length, unit: pages, max: 2"), "components.0.checks.0.unit", "'sentences'"),
        (RULE.format("type: match, pattern: '(?=a)'"), "components.0.checks.0.pattern", "look-around"),
        (RULE.format("type: match, pattern: 'a)(b'"), "components.0.checks.0.pattern", "unexpected )"),
        (RULE.format(f"type: match, pattern: {'a' * 1001}"), "components.0.checks.0.pattern", "1000 characters"),
        (RULE.format("type: banned, terms: []"), "components.0.checks.0.terms", "at least 1"),
        (RULE.format("type: banned, terms: [' ']"), "components.0.checks.0", "without a character"),
        (RULE.format("type: citations, min: 1"), "components.0.checks.0", "a form or a pattern"),
        (RULE.format("type: json, schema: {type: nothing}"), "components.0.checks.0", "schema that cannot be used"),
        (RULE.format("type: json, schema: {$ref: 'http://a.org'}"), "components.0.checks.0", "cannot be used"),
        (RULE.format("type: language, languages: [German]"), "components.0.checks.0.languages.0", "must match"),
        (RULE.format("type: reading"), "components.0.checks.0", "a min, a max or both"),
        (RULE.format("type: magic"), "components.0.checks.0", "'magic'"),
        (RULE.format("weight: 1"), "components.0.checks.0", "one of length, match, banned"),
        (RULE.format("type: match, pattern: a}, {name: c, type: match, pattern: b"), "components.0.checks", "'c'"),
        (f"require: {{guards: 1}}\n{GUARD}", "profile", "requires 'guards', which is no component"),
        (f"require: {{guard: .nan}}\n{GUARD}", "require.guard", "finite"),
        (f"ensembles: [{{{BOTH}, combine: min, of: [guard, other]}}]\n{GUARD}", "profile", "'other', which is no"),
        (f"ensembles: [{{{BOTH}, combine: min, of: [guard, guard]}}]\n{GUARD}", "ensembles.0", "twice"),
        (f"ensembles: [{{{BOTH}, combine: mean-std, of: [a, b]}}]\n{GUARD}", "ensembles.0", "needs k"),
        (f"ensembles: [{{{BOTH}, combine: max, of: [a, b]}}]\n{GUARD}", "ensembles.0.combine", "'mean-std'"),
        (GUARD.replace("weight: 1", "weight: 1, transform: quantile"), "profile", "darwin reward sample"),
        (GUARD.replace("weight: 1", "weight: 1, transform: log"), "components.0.transform", "'quantile'"),
        (f"wishes: ['']\n{GUARD}", "wishes.0", "not be empty"),
        (f"wishes: [{'a' * 201}]\n{GUARD}", "wishes.0", "at most 200 characters"),
        (f"wishes: [{', '.join(map(str, 'abcdefghijklmnopq'))}]\n{GUARD}", "wishes", "at most 16"),
        (f"wishes: [a, b, a]\n{GUARD}", "wishes", "differ"),
        (f'wishes: [a, "b\\n\\n> c"]\n{GUARD}', "wishes", "single lines without blanks around them, which number 1"),
        (f"wishes: [3]\n{GUARD}", "wishes.0", "text"),
        (f"wishes: short\n{GUARD}", "wishes", "list"),
        ("components: [3]", "components.0", "mapping"),
        ("components: []", "components", "at least 1"),
        ("{}", "components", "is missing"),
        ("- just a list", "profile", "mapping"),
        ("", "profile", "mapping"),
    ],
)
def test_a_wrong_profile_says_what_is_wrong_where(tmp_path: Path, text: str, field: str, says: str) -> None:
    path = write(tmp_path, "house", text)
    with pytest.raises(InvalidRequest) as caught:
        read_profile(path)
    assert caught.value.field == field
    assert says in caught.value.message
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    for jargon in ("Input should", "Value error", "validation", "pydantic"):
        assert jargon not in caught.value.message


def test_what_is_wished_is_no_part_of_what_scores(tmp_path: Path) -> None:
    plain, wished = (read_profile(write(tmp_path, "a", text)) for text in (GUARD, f"wishes: [short]\n{GUARD}"))
    assert wished.wishes == ("short",)
    assert identity_of_components(wished) == identity_of_components(plain)


def test_the_profiles_of_the_docs_can_be_served() -> None:
    folder = Path(__file__).parents[3] / "docs" / "profiles"
    found = {path.stem: read_profile(path) for path in folder.glob("*.yaml")}
    assert set(found) == {"brief", "thorough", "support"}
    assert all(profile.wishes for profile in found.values())
    assert all(len(path.read_text().splitlines()) < 10 for path in folder.glob("*.yaml"))


def test_what_is_not_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="not YAML"):
        read_profile(write(tmp_path, "house", "components: ["))


def test_a_folder_adds_all_of_its_profiles_and_overrides_shipped_ones(tmp_path: Path) -> None:
    write(tmp_path, "house", GUARD)
    write(tmp_path, "default", f"description: ours\n{GUARD}")
    profiles = load_profiles(["default"], tmp_path)
    assert set(profiles) == {"default", "house"}
    assert profiles["default"].description == "ours"


def test_only_named_shipped_profiles_are_loaded() -> None:
    assert set(load_profiles(["simulated"], None)) == {"simulated"}


def test_an_unknown_name_lists_what_there_is(tmp_path: Path) -> None:
    write(tmp_path, "house", GUARD)
    with pytest.raises(NotFound, match=r"'hose'.*default.*house"):
        load_profiles(["hose"], tmp_path)
    with pytest.raises(NotFound, match="no profiles folder"):
        load_profiles(["default"], tmp_path / "absent")


def test_a_head_beside_the_profile_wins_over_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "ours.safetensors").touch()
    text = "components: [{name: q, type: quality, weight: 1, head: ours.safetensors}]"
    (component,) = read_profile(write(tmp_path, "house", text)).components
    assert component.head == str(tmp_path / "ours.safetensors")


def test_a_length_curve_stands_beside_the_profile_and_fits_its_components(tmp_path: Path) -> None:
    path = write(tmp_path, "house", f"length_curve: ours.json\n{GUARD}")
    (tmp_path / "ours.json").touch()
    profile = read_profile(path)
    assert profile.length_curve == str(tmp_path / "ours.json")
    curve = LengthCurve(components=identity_of_components(profile), characters=(1, 2), rewards=(0, 1))
    (tmp_path / "ours.json").write_text(curve.model_dump_json())
    settings = RewardSettings(profiles="house", profiles_dir=tmp_path)
    assert build_rewarder(settings).profiles["house"].length_curve == curve
    write(tmp_path, "house", f"length_curve: ours.json\n{GUARD}".replace("weight: 1", "weight: 2"))
    with pytest.raises(InvalidRequest, match=r"other components.*darwin reward calibrate") as caught:
        build_rewarder(settings)
    assert caught.value.field == "length_curve"


def test_a_reference_sample_stands_beside_the_profile_and_is_of_its_components(tmp_path: Path) -> None:
    text = "reference: ours.json\n" + GUARD.replace("weight: 1", "weight: 1, transform: quantile")
    path = write(tmp_path, "house", text)
    settings = RewardSettings(profiles="house", profiles_dir=tmp_path)
    with pytest.raises(NotFound, match="no such reference sample"):
        build_rewarder(settings)
    (guard,) = read_profile(path).components
    sample = Sample(component=identity_of_component(guard), values=tuple(range(20)))
    (tmp_path / "ours.json").write_text(Reference(samples={"guard": sample}).model_dump_json())
    assert build_rewarder(settings).profiles["house"].components[0].sample == sample
    write(tmp_path, "house", text.replace("weight: 1", "weight: 2"))
    assert build_rewarder(settings).profiles["house"].components[0].sample == sample
    write(tmp_path, "house", text.replace("type: guard", "type: form"))
    with pytest.raises(InvalidRequest, match=r"no values of 'guard'.*darwin reward sample") as caught:
        build_rewarder(settings)
    assert caught.value.field == "reference"


def test_a_profile_of_rules_and_sums_is_read_again_from_its_json(tmp_path: Path) -> None:
    text = """
reference: ours.json
components:
  - name: rules
    type: rules
    weight: 1
    checks: [{name: json, type: json, schema: {type: object}}, {name: it, type: match, pattern: a, absent: true}]
  - {name: guard, type: guard, weight: 0, transform: quantile}
ensembles: [{name: both, weight: 1, of: [rules, guard], combine: mean-std, k: 0.5}]
require: {rules.json: 1, both: 0.2}
"""
    profile = read_profile(write(tmp_path, "house", text))
    assert ProfileFile.model_validate_json(profile.model_dump_json()) == profile


def test_sums_are_a_part_of_what_a_curve_is_fitted_to(tmp_path: Path) -> None:
    plain, required = (read_profile(write(tmp_path, "house", more + GUARD)) for more in ("", "require: {guard: -1}\n"))
    assert identity_of_components(plain) != identity_of_components(required)


def test_one_scorer_serves_components_that_differ_in_name_and_weight_only(tmp_path: Path) -> None:
    text = """
components:
  - {name: strict, type: relevance, weight: 9, threshold: 0.2}
  - {name: mild, type: relevance, weight: 1, threshold: 0.2}
  - {name: other, type: relevance, weight: 1, threshold: 0.3}
"""
    strict, mild, other = read_profile(write(tmp_path, "house", text)).components
    assert strict.scorer_key() == mild.scorer_key() != other.scorer_key()


def test_code_of_a_checkpoint_may_run_from_a_folder_or_one_commit(tmp_path: Path) -> None:
    pinned = f"components: [{MODEL}, trust_remote_code: true, revision: {'a1' * 20}}}]"
    local = pinned.replace("model: x", f"model: {tmp_path}").replace(f", revision: {'a1' * 20}", "")
    for text in (pinned, local):
        assert read_profile(write(tmp_path, "house", text)).components


def test_template_arguments_keep_their_kinds(tmp_path: Path) -> None:
    text = f"components: [{MODEL}, chat_template_arguments: {{on: false, n: 1, x: 1.5, s: 'yes', none: null}}}}]"
    (component,) = read_profile(write(tmp_path, "house", text.replace("on:", "'on':"))).components
    assert isinstance(component, ClassifierSpec)
    assert component.chat_template_arguments == {"on": False, "n": 1, "x": 1.5, "s": "yes", "none": None}
    assert component.chat_template_arguments["on"] is False
