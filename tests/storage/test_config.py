"""The settings of a ledger: every mistake is named, and none is a fault of the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import InvalidError
from ledger.storage.config import Config, read_config


def settings(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_without_settings_the_defaults_hold(tmp_path: Path, text: str) -> None:
    assert read_config(settings(tmp_path, text)) == read_config(tmp_path / "none") == Config()


def test_settings_are_read(tmp_path: Path) -> None:
    told = read_config(settings(tmp_path, 'durability = "batch"\n[hooks]\nleased = "deny"\n'))
    assert (told.durability, told.denies_leased) == ("batch", True)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("durability = ", ["config.toml"]),
        ('durability = "maybe"\nmore = 1\n', ["durability", "more"]),
        ("durability = 1979-05-27T07:32:00Z\n", ["durability"]),
        ('[hooks]\nleased = "shout"\n', ["hooks.leased"]),
        ("[payloads]\nmax_bytes = inf\n", ["payloads.max_bytes"]),
        ("[payloads]\nmax_bytes = nan\n", ["payloads.max_bytes"]),
    ],
)
def test_what_cannot_be_a_setting_is_named(tmp_path: Path, text: str, named: list[str]) -> None:
    with pytest.raises(InvalidError) as raised:
        read_config(settings(tmp_path, text))
    assert list(dict.fromkeys(problem.path for problem in raised.value.problems)) == named
