"""Settings: where each comes from, what is refused, and the pages that are generated of them."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from label_studio_ml import settings
from label_studio_ml.cli import reference
from label_studio_ml.cli.main import app
from label_studio_ml.errors import SettingError
from label_studio_ml.settings import Settings, load, secrets
from label_studio_ml.wire.deadlines import Deadlines
from tests.support.paths import DOCS

SPECS = dataclasses.fields(Settings)
OLDER_NAMES = {
    "LABEL_STUDIO_URL": "label_studio_url",
    "LABEL_STUDIO_HOST": "label_studio_url",
    "LABEL_STUDIO_API_KEY": "label_studio_api_key",
    "LABEL_STUDIO_ACCESS_TOKEN": "label_studio_api_key",
    "BASIC_AUTH_USER": "basic_auth_user",
    "BASIC_AUTH_PASS": "basic_auth_pass",
    "ML_SERVER_BASIC_AUTH_USER": "basic_auth_user",
    "ML_SERVER_BASIC_AUTH_PASS": "basic_auth_pass",
    "MODEL_DIR": "model_dir",
    "LOCAL_FILES_DOCUMENT_ROOT": "local_files_document_root",
    "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": "local_files_document_root",
    "VERIFY_SSL": "verify_ssl",
    "LABEL_STUDIO_VERIFY_SSL": "verify_ssl",
    "LOG_LEVEL": "log_level",
    "PORT": "port",
    "WORKERS": "workers",
    "THREADS": "threads",
}


def other_value(spec: dataclasses.Field[Any]) -> tuple[str, Any]:
    """A value that is not the default, as text and as what it becomes."""
    if spec.name == "log_level":
        return "ERROR", "ERROR"
    if spec.name == "train_on":
        return "start", "start"
    if spec.metadata["kind"]:
        return {"size": ("2K", 2048), "duration": ("2m", 120.0)}[spec.metadata["kind"]]
    if isinstance(spec.default, bool):
        return ("false", False) if spec.default else ("true", True)
    if isinstance(spec.default, int | float):
        return "7", type(spec.default)(7)
    if isinstance(spec.default, Path):
        return "/other", Path("/other")
    return "other", "other"


NOTHING_PROTECTED = (
    "webhook_secret protects nothing by itself: it stands in for user and password, so set basic_auth_user and "
    "basic_auth_pass, too."
)


def loaded(environ: dict[str, str], name: str) -> Any:
    login = {"basic_auth_user": "x", "basic_auth_pass": "x"}
    needs_login = name in {*login, "webhook_secret"}
    given: dict[str, Any] = {needed: x for needed, x in login.items() if needs_login and needed != name}
    return getattr(load(environ, **given), name)


def test_without_anything_the_defaults_hold() -> None:
    found = load({})
    for spec in SPECS:
        expected = spec.default.absolute() if isinstance(spec.default, Path) else spec.default
        assert getattr(found, spec.name) == expected, spec.name


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_setting_is_read_from_our_own_variable(spec: dataclasses.Field[Any]) -> None:
    text, value = other_value(spec)
    assert loaded({f"LABEL_STUDIO_ML_{spec.name.upper()}": text}, spec.name) == value


@pytest.mark.parametrize(("variable", "name"), OLDER_NAMES.items())
def test_the_names_of_older_packages_still_count(variable: str, name: str) -> None:
    spec = next(spec for spec in SPECS if spec.name == name)
    text, value = other_value(spec)
    assert loaded({variable: text}, name) == value


def test_what_is_given_wins_then_our_variable_then_the_older_ones_in_order() -> None:
    environ = {"LABEL_STUDIO_HOST": "host"}
    assert load(environ).label_studio_url == "host"
    environ["LABEL_STUDIO_URL"] = "url"
    assert load(environ).label_studio_url == "url"
    environ["LABEL_STUDIO_ML_LABEL_STUDIO_URL"] = "ours"
    assert load(environ).label_studio_url == "ours"
    assert load(environ, label_studio_url="given").label_studio_url == "given"
    assert load(environ, label_studio_url="").label_studio_url == ""
    assert load(environ, label_studio_url=None).label_studio_url == "ours"


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load({"LABEL_STUDIO_ML_PORT": "", "PORT": "7000"}).port == 7000
    assert load({"PORT": ""}).port == 9090


def test_false_and_zero_can_be_given_against_the_environment() -> None:
    assert load({"LABEL_STUDIO_ML_STRICT": "1"}, strict=False).strict is False
    assert load({"PORT": "7000"}, port=0).port == 0


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_ML_PORT", "7001")
    assert load().port == 7001


def test_the_backends_folder_has_the_weakest_say_on_the_model_folder(tmp_path: Path) -> None:
    assert load({}, default_model_dir=tmp_path).model_dir == tmp_path
    assert load({"MODEL_DIR": "/b"}, default_model_dir=tmp_path).model_dir == Path("/b")
    assert load({"MODEL_DIR": "/b"}, default_model_dir=tmp_path, model_dir="/c").model_dir == Path("/c")


def test_the_model_folder_is_absolute_whatever_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert load({}, model_dir="here").model_dir == tmp_path / "here"
    assert load({"MODEL_DIR": "~/models"}).model_dir == Path("/home/somebody/models")


def test_the_database_is_a_file_in_the_model_folder_unless_a_url_is_given() -> None:
    assert load({}, model_dir="/m").database == "sqlite:////m/label-studio-ml.db"
    assert load({}, model_dir="/m", database_url="postgresql://h/d").database == "postgresql://h/d"


@pytest.mark.parametrize("word", ["1", "true", "Yes", "ON", " true "])
def test_words_for_true(word: str) -> None:
    assert load({"LABEL_STUDIO_ML_STRICT": word}).strict is True


@pytest.mark.parametrize("word", ["0", "false", "No", "off"])
def test_words_for_false(word: str) -> None:
    assert load({"LABEL_STUDIO_ML_STRICT": word}).strict is False


@pytest.mark.parametrize(
    ("written", "level"),
    [("debug", "DEBUG"), ("Info", "INFO"), ("warn", "WARNING"), ("WARNING", "WARNING"), ("critical", "ERROR")],
)
def test_log_levels_in_any_spelling(written: str, level: str) -> None:
    assert load({"LOG_LEVEL": written}).log_level == level


def test_debug_means_the_debug_level() -> None:
    assert load({}, debug=True, log_level="ERROR").log_level == "DEBUG"


def test_credentials_are_required_once_there_are_any() -> None:
    assert not load({}).auth_required
    assert load({}, basic_auth_user="u", basic_auth_pass="p").auth_required


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1000", 1000),
        ("1000B", 1000),
        ("2k", 2048),
        ("2KB", 2048),
        (" 256 MB ", 256 * 2**20),
        ("1G", 2**30),
        ("1gb", 2**30),
        ("0.5M", 2**19),
        ("0", 0),
    ],
)
def test_sizes(text: str, count: int) -> None:
    assert settings.size(text) == count


@pytest.mark.parametrize("word", ["10.0.0.1/8", "http://minio", "10.0.0", "a..", "minio:9000", "*.lan", "::1/200"])
def test_what_is_no_host_or_network_is_said_to_be_none(word: str) -> None:
    with pytest.raises(SettingError, match="is no host name, address or network"):
        settings.private_hosts(f"fine.lan {word}")


def test_hosts_and_networks_are_read_however_they_are_separated() -> None:
    found = settings.private_hosts(" minio,Files.lan  10.0.0.0/8,fd00::/8 192.168.1.5")
    assert found.names == {"minio", "files.lan"}
    assert [str(network) for network in found.networks] == ["10.0.0.0/8", "fd00::/8", "192.168.1.5/32"]
    assert not found.everything
    assert settings.private_hosts("all").everything


def test_media_are_kept_in_the_model_folder_unless_another_is_named() -> None:
    assert load({}, model_dir="/m").media_folder == Path("/m/media-cache")
    assert load({}, model_dir="/m", media_dir="/n").media_folder == Path("/n")


@pytest.mark.parametrize("text", ["", "MB", "-1", "1T", "1 2", "1e3", "many"])
def test_what_is_no_size_is_said_to_be_none(text: str) -> None:
    with pytest.raises(SettingError, match=r"is not a size\. Write a number of bytes, or one like 256MB or 1G"):
        settings.size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10", 10),
        ("10s", 10),
        ("1.5m", 90),
        ("2H", 7200),
        (" 30 d ", 30 * 86400),
        ("0", 0),
        ("0.25s", 0.25),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert settings.duration(text) == seconds
    assert load({"LABEL_STUDIO_ML_FIT_TIMEOUT": text}).fit_timeout == seconds


@pytest.mark.parametrize("text", ["", "s", "-1", "1w", "1 2", "1e3", "soon", "1h30m"])
def test_what_is_no_duration_is_said_to_be_none(text: str) -> None:
    with pytest.raises(SettingError, match=r"is not a time\. Write seconds, or a number with s, m, h or d"):
        settings.duration(text)


def test_no_quiet_time_at_all_can_be_asked_for() -> None:
    assert load({"LABEL_STUDIO_ML_TRAIN_DEBOUNCE": "0"}).train_debounce == 0.0
    assert load({}).train_debounce is None


@pytest.mark.parametrize(
    ("environ", "given", "sentence"),
    [
        ({"PORT": "http"}, {}, "The environment variable PORT must be a whole number, not 'http'."),
        ({}, {"port": "9090.5"}, "port must be a whole number, not '9090.5'."),
        (
            {"LABEL_STUDIO_ML_PREDICT_TIMEOUT": "soon"},
            {},
            (
                "The environment variable LABEL_STUDIO_ML_PREDICT_TIMEOUT: 'soon' is not a time. "
                "Write seconds, or a number with s, m, h or d, as in 90s or 30d."
            ),
        ),
        (
            {"LABEL_STUDIO_ML_STRICT": "maybe"},
            {},
            "The environment variable LABEL_STUDIO_ML_STRICT must be true or false, not 'maybe'.",
        ),
        (
            {"LABEL_STUDIO_ML_MAX_BODY_SIZE": "big"},
            {},
            (
                "The environment variable LABEL_STUDIO_ML_MAX_BODY_SIZE: 'big' is not a size. "
                "Write a number of bytes, or one like 256MB or 1G."
            ),
        ),
        (
            {"MODEL_DIR": "~nobody-of-this-name/models"},
            {},
            "The environment variable MODEL_DIR: there is no home folder for '~nobody-of-this-name/models'.",
        ),
        ({}, {"workers": 0}, "workers must be at least 1, not 0."),
        ({"THREADS": "-1"}, {}, "threads must be at least 1, not -1."),
        ({}, {"max_batch_size": 0}, "max_batch_size must be at least 1, not 0."),
        ({}, {"max_loaded_models": 0}, "max_loaded_models must be at least 1, not 0."),
        ({}, {"max_body_size": "0"}, "max_body_size must be at least 1, not 0."),
        ({}, {"predict_timeout": 0}, "predict_timeout must be more than 0 seconds, and not endless."),
        ({}, {"predict_timeout": math.nan}, "predict_timeout must be more than 0 seconds, and not endless."),
        (
            {},
            {"predict_timeout": "nan"},
            (
                "predict_timeout: 'nan' is not a time. "
                "Write seconds, or a number with s, m, h or d, as in 90s or 30d."
            ),
        ),
        ({}, {"trainer_idle": -1}, "trainer_idle must be more than 0 seconds, and not endless."),
        ({}, {"shutdown_timeout": math.inf}, "shutdown_timeout must be more than 0 seconds, and not endless."),
        (
            {},
            {"shutdown_timeout": "inf"},
            (
                "shutdown_timeout: 'inf' is not a time. "
                "Write seconds, or a number with s, m, h or d, as in 90s or 30d."
            ),
        ),
        ({}, {"shutdown_timeout": "0s"}, "shutdown_timeout must be more than 0 seconds, and not endless."),
        ({}, {"train_on": "sometimes"}, "train_on must be events, start or never, not 'sometimes'."),
        ({}, {"train_every": -1}, "train_every must be 0 or more, not -1."),
        ({}, {"keep_versions": "-1"}, "keep_versions must be 0 or more, not -1."),
        ({}, {"fit_timeout": -1.0}, "fit_timeout must be 0 or more, not -1.0."),
        ({}, {"keep_events": math.inf}, "keep_events must be 0 or more, not inf."),
        ({}, {"train_debounce": -1.0}, "train_debounce must be 0 or more, not -1.0."),
        ({}, {"train_debounce": math.inf}, "train_debounce must be 0 or more, not inf."),
        ({}, {"trainers": 0}, "trainers must be at least 1, not 0."),
        ({}, {"trainer_nice": 20}, "trainer_nice must be between 0 and 19, not 20."),
        ({"PORT": "70000"}, {}, "port must be between 0 and 65535, not 70000."),
        ({}, {"port": -1}, "port must be between 0 and 65535, not -1."),
        ({}, {"log_level": "loud"}, "log_level must be DEBUG, INFO, WARNING or ERROR, not 'LOUD'."),
        ({}, {"media_cache_size": 0}, "media_cache_size must be at least 1, not 0."),
        ({}, {"media_timeout": "0"}, "media_timeout must be more than 0 seconds, and not endless."),
        (
            {},
            {"allow_private_media": "minio, 10.0.0.0/33"},
            (
                "allow_private_media: '10.0.0.0/33' is no host name, address or network. "
                "Write them as in `minio, 10.0.0.0/8`, or `all`."
            ),
        ),
        (
            {"BASIC_AUTH_USER": "u"},
            {},
            "Basic auth needs both a user and a password; only one of them is set.",
        ),
        ({}, {"basic_auth_pass": "p"}, "Basic auth needs both a user and a password; only one of them is set."),
        (
            {},
            {"basic_auth_user": "a:b", "basic_auth_pass": "p"},
            "basic_auth_user must not have a colon: basic auth ends the user's name with one.",
        ),
        (
            {},
            {"webhook_secret": "s"},
            NOTHING_PROTECTED,
        ),
        (
            {},
            {"basic_auth_user": "u", "basic_auth_pass": "p", "webhook_secret": "s\n"},
            "webhook_secret must be text that a header can carry: one line, no spaces around it.",
        ),
    ],
)
def test_a_wrong_setting_is_told_in_a_sentence(
    environ: dict[str, str], given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SettingError) as caught:
        load(environ, **given)
    assert str(caught.value) == sentence


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load({}).port = 1  # type: ignore[misc]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_setting_is_an_option_and_is_documented(spec: dataclasses.Field[Any]) -> None:
    option = "--" + spec.name.replace("_", "-")
    root: Any = typer.main.get_command(app)
    assert option in {name for parameter in root.commands["start"].params for name in parameter.opts}
    start_section = (DOCS / "cli.md").read_text().split("## `label-studio-ml start`")[1].split("\n## ")[0]
    for page in ((DOCS / "settings.md").read_text(), start_section):
        (line,) = [line for line in page.splitlines() if line.startswith("|") and f"`{option}`" in line]
        assert spec.metadata["help"] in line
        assert all(name in line for name in spec.metadata["env"])


@pytest.mark.parametrize("page", reference.pages(), ids=lambda page: page.name)
def test_the_generated_pages_are_up_to_date(page: Path) -> None:
    assert page.read_text() == reference.pages()[page], "run: python -m label_studio_ml.cli.reference --write"


def test_every_credential_is_known_in_the_forms_in_which_it_travels() -> None:
    found = load(
        {},
        basic_auth_user="u",
        basic_auth_pass="pä",
        webhook_secret="hook",
        label_studio_api_key="key",
        database_url="postgresql://me:p%40ss@host/name",
    )
    environ = {
        "HF_TOKEN": "hf",
        "AWS_SECRET_ACCESS_KEY": "aws",
        "TOKENIZERS_PARALLELISM": "false",
        "HOME": "/home/me",
    }
    in_utf8, in_latin1 = "dTpww6Q=", "dTpw5A=="
    assert set(secrets(found, environ)) == {"pä", in_utf8, in_latin1, "hook", "key", "p%40ss", "p@ss", "hf", "aws"}
    assert secrets(load({}), {}) == []


def test_a_request_is_answered_before_label_studio_gives_up() -> None:
    assert Settings().predict_deadline < Deadlines().predict


def test_groups_are_listed_in_their_order() -> None:
    assert list(dict.fromkeys(spec.metadata["group"] for spec in SPECS)) == list(settings.Group)
    assert [spec.metadata["group"] for spec in SPECS] == sorted(
        (spec.metadata["group"] for spec in SPECS), key=list(settings.Group).index
    )


def test_the_help_of_start_has_a_heading_for_each_group() -> None:
    shown = CliRunner().invoke(app, ["start", "--help"]).output
    places = [shown.index(f"\n{group.value}:") for group in settings.Group]
    assert places == sorted(places)
    assert all(len(line) <= 80 for line in shown.splitlines())
