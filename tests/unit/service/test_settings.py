"""Settings: their tiers, their mistakes, and how they are changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jada_orchestrator.service.settings_editing import set_value, values_of
from jada_orchestrator.service.settings_tiers import Origin, SettingsMistakesError, load_settings, settings_file


@pytest.fixture(autouse=True)
def nobody_elses_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings.json of this machine or person is read."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nobody"))


def written(folder: Path, content: object) -> Path:
    """A settings.json with this content."""
    path = folder / "settings.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def faults_of(file: Path | None = None, **flags: object) -> list[str]:
    """The faults of settings that cannot be used, each as a line."""
    with pytest.raises(SettingsMistakesError) as caught:
        load_settings(flags, file=file)
    return [str(fault) for fault in caught.value.faults]


def test_defaults_need_nothing() -> None:
    """Without a file, a variable and a flag every setting has its built-in value, and nothing is to be reported."""
    loaded = load_settings()
    assert loaded.settings.model == "claude-sonnet-4-6"
    assert loaded.settings.planner_timeout == 120_000
    assert loaded.settings.store == "sqlite:///var/lib/jada/journal.db"
    assert {origin for _, origin in values_of(loaded).values()} == {Origin("default", "built in")}
    assert loaded.notices == ()


def test_higher_tiers_win_leaf_by_leaf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag beats a variable beats the file beats the default, leaf by leaf, and each value says which it was."""
    file = written(tmp_path, {"model": "from-file", "defaults": {"max_tokens": 5000}, "receivers": 3, "log": "json"})
    monkeypatch.setenv("JADA_MODEL", "from-env")
    monkeypatch.setenv("JADA_LOG", "console")
    monkeypatch.setenv("JADA_CONNECTIONS__MODEL", "7")
    loaded = load_settings({"model": "from-flag", "store": None}, file=file)
    values = values_of(loaded)
    assert values["model"] == ("from-flag", Origin("flag", "--model"))
    assert values["log"] == ("console", Origin("environment", "JADA_LOG"))
    assert values["connections.model"] == (7, Origin("environment", "JADA_CONNECTIONS__MODEL"))
    assert values["defaults.max_tokens"] == (5000, Origin("file", str(file)))
    assert values["receivers"][0] == 3
    assert values["connections.functions"][1].tier == "default"


def test_the_file_that_people_keep_is_accepted(tmp_path: Path) -> None:
    """A file with temperature, top_p and keys of other programs works; what is not used is reported."""
    content = {
        "model": "claude-sonnet-4-6",
        "defaults": {"temperature": 0.7, "max_tokens": 4096},
        "recievers": 3,
        "my_tool": {"x": 1},
    }
    loaded = load_settings(file=written(tmp_path, content))
    assert loaded.settings.defaults.max_tokens == 4096
    temperature, receivers, other = loaded.notices
    assert "defaults.temperature" in temperature
    assert "not sent" in temperature
    assert "did you mean receivers?" in receivers
    assert "my_tool.x" in other


def test_all_mistakes_are_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mistakes of the file, the environment and the flags come together, each with where it can be mended."""
    file = written(tmp_path, '{\n  "model": 4,\n  "defaults": {\n    "max_tokens": "many"\n  }\n}\n')
    monkeypatch.setenv("JADA_RECEIVERS", "none")
    faults = faults_of(file, store="mysql://x")
    assert len(faults) == 4
    text = "\n".join(faults)
    assert f"{file}:2: model is 4" in text
    assert f'{file}:4: defaults.max_tokens is "many"' in text
    assert "JADA_RECEIVERS: receivers is" in text
    assert "--store: store is" in text


def test_a_section_that_is_no_object_is_a_mistake(tmp_path: Path) -> None:
    """`"defaults": 4` is named as the mistake that it is."""
    assert "defaults is 4" in faults_of(written(tmp_path, {"defaults": 4}))[0]


def test_bad_json_is_named_with_its_line(tmp_path: Path) -> None:
    """A mistake in the syntax is named with file, line and column."""
    (fault,) = faults_of(written(tmp_path, '{"model": "x",\n "receivers": }\n'))
    assert "settings.json:2:15: this is no JSON" in fault


def test_json_without_end_is_a_mistake(tmp_path: Path) -> None:
    """However deep it is nested, it is refused in words, and a reload with it."""
    assert "nested deeper" in faults_of(written(tmp_path, "[" * 100_000))[0]


def test_json_that_is_no_object_is_a_mistake(tmp_path: Path) -> None:
    """A list in the place of the object is refused."""
    assert "one JSON object" in faults_of(written(tmp_path, [1]))[0]


def test_a_file_that_was_named_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JADA_SETTINGS that leads nowhere is a mistake, and not the silent use of defaults."""
    monkeypatch.setenv("JADA_SETTINGS", str(tmp_path / "none.json"))
    assert "JADA_SETTINGS" in faults_of()[0]


def test_a_misspelt_variable_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is nearly one of ours is a notice with the right name."""
    monkeypatch.setenv("JADA_REQUST_QUEUE", "x")
    assert "did you mean JADA_REQUEST_QUEUE?" in load_settings().notices[0]


def test_lists_come_as_commas_or_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The allow-list is a comma list in the environment and a list in the file."""
    file = written(tmp_path, {"reply_to_allowed": ["a", "b"]})
    assert load_settings(file=file).settings.reply_to_allowed == ("a", "b")
    monkeypatch.setenv("JADA_REPLY_TO_ALLOWED", "c, d,")
    assert load_settings(file=file).settings.reply_to_allowed == ("c", "d")


@pytest.mark.parametrize(("text", "ms"), [("90s", 90_000), (30, 30_000), ("1.5", 1_500), ("2m", 120_000)])
def test_durations_have_units_or_are_seconds(tmp_path: Path, text: object, ms: int) -> None:
    """A duration is text with a unit, or a number of seconds."""
    assert load_settings(file=written(tmp_path, {"planner_timeout": text})).settings.planner_timeout == ms


def test_set_keeps_everything_else(tmp_path: Path) -> None:
    """Setting a key keeps other content, its order, unknown keys and the file's mode."""
    file = written(tmp_path, {"mine": [1], "defaults": {"temperature": 0.7}, "model": "old"})
    file.chmod(0o640)
    assert set_value(file, "defaults.max_tokens", "5000") == 5000
    assert set_value(file, "model", "4") == "4"
    content = json.loads(file.read_text("utf-8"))
    assert content == {"mine": [1], "defaults": {"temperature": 0.7, "max_tokens": 5000}, "model": "4"}
    assert list(content) == ["mine", "defaults", "model"]
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]


@pytest.mark.parametrize(("key", "value", "says"), [("modle", "x", "did you mean model?"), ("receivers", "0", "0")])
def test_set_refuses_what_could_not_be_used(tmp_path: Path, key: str, value: str, says: str) -> None:
    """An unknown key or an impossible value leaves the file as it was."""
    file = written(tmp_path, {"receivers": 2})
    with pytest.raises(SettingsMistakesError, match=says.replace("?", r"\?")):
        set_value(file, key, value)
    assert json.loads(file.read_text("utf-8")) == {"receivers": 2}


def test_set_follows_a_link(tmp_path: Path) -> None:
    """A settings.json that is a symbolic link stays one; what it leads to is changed."""
    real = written(tmp_path, {})
    link = tmp_path / "link.json"
    link.symlink_to(real)
    set_value(link, "model", "new")
    assert link.is_symlink()
    assert json.loads(real.read_text("utf-8")) == {"model": "new"}


def test_passwords_are_not_shown() -> None:
    """The password of a store's URL is masked where settings are shown."""
    loaded = load_settings({"store": "postgresql://jada:hush@db/jada"})
    assert values_of(loaded)["store"][0] == "postgresql://jada:***@db/jada"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://jada:geheim@db/jada",
        "mysql://jada:ge:he@im@db/jada",
        "mysql://db/jada?user=jada&password=geheim&x=1",
        "mysql://:geheim/geheim@db/jada",
    ],
)
def test_a_mistake_in_a_url_does_not_tell_its_password(url: str, tmp_path: Path) -> None:
    """What is wrong with a store's URL is told where everybody may read it, and without its password."""
    told = [*faults_of(store=url), *faults_of(written(tmp_path, {"store": url}))]
    with pytest.raises(SettingsMistakesError) as caught:
        set_value(tmp_path / "settings.json", "store", url)
    told += map(str, caught.value.faults)
    assert all("***" in each and "db/jada" in each for each in told)
    assert not [each for each in told if "geheim" in each or "im@" in each]


@pytest.mark.parametrize(
    "url", ["postgresql://jada:geheim@db/jada?sslmode=require", "postgresql://db/jada?password=geheim&user=jada"]
)
def test_no_form_of_a_password_is_shown(url: str) -> None:
    """A password in the query is as little shown as one before the host."""
    shown = str(values_of(load_settings({"store": url}))["store"][0])
    assert "***" in shown
    assert "geheim" not in shown


@pytest.mark.parametrize("text", ['{"lease": Infinity}', '{"planner_timeout": 1e999}', '{"drain_seconds": NaN}'])
def test_numbers_without_end_are_mistakes(tmp_path: Path, text: str) -> None:
    """What Python's reader takes for numbers and nobody can wait for is named like any other mistake."""
    assert len(faults_of(written(tmp_path, text))) == 1


def test_the_file_is_made_where_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that JADA_SETTINGS names and that is not there yet is the one to make."""
    monkeypatch.setenv("JADA_SETTINGS", str(tmp_path / "new" / "settings.json"))
    set_value(settings_file(), "model", "m")
    assert load_settings().settings.model == "m"
