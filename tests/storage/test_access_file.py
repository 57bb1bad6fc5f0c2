"""The access file: with none everybody may, and what is wrong in one is told whole, for nobody gets in by a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import InvalidError
from ledger.storage.access_file import NAME, TEMPLATE, read_access

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPjCkGX0Oi4mV4p2yBeXHV0E8oYj0nYvkqJ0nH2m0b3Z"


def problems(folder: Path, text: str | bytes) -> list[tuple[str, str]]:
    (folder / NAME).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidError) as caught:
        read_access(folder)
    return [(problem.path, problem.rule) for problem in caught.value.problems]


def test_without_a_file_and_with_the_one_that_a_server_begins_with_everybody_may(tmp_path: Path) -> None:
    assert read_access(tmp_path).people == ()
    (tmp_path / NAME).write_text(TEMPLATE)
    assert read_access(tmp_path) == read_access(tmp_path / "none")


def test_what_the_template_shows_can_be_used(tmp_path: Path) -> None:
    shown = [line.removeprefix("# ") for line in TEMPLATE.splitlines()[2:] if line != "#"]
    (tmp_path / NAME).write_text("\n".join(shown).replace("ssh-ed25519 AAAA...", f"{KEY} ann@host"))
    access = read_access(tmp_path)
    assert access.needs_signature
    (ann,) = access.people
    assert (ann.name, ann.user, ann.agents, ann.keys, ann.is_administrator) == (
        "ann",
        "ann",
        ("claude-code", "person"),
        ("api", "docs/plan"),
        True,
    )
    assert ann.public_key is not None
    assert access.by_key(ann.public_key) is ann


@pytest.mark.parametrize("text", ["[[who]\n", b"name = \xff\n"])
def test_what_is_no_toml_is_said_so(tmp_path: Path, text: str | bytes) -> None:
    ((path, _),) = problems(tmp_path, text)
    assert path == NAME


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, 'signatures = "always"\n[[who]]\nname = "ann"\nkeys = [2026-11-22]\n[[who]]\nkey = 1\n')
    places = {path for path, _ in found}
    assert {"signatures", "who.0", "who.1.key"} <= places


def test_a_key_that_is_none_is_named(tmp_path: Path) -> None:
    text = f'[[who]]\nname = "ann"\nkey = "{KEY}"\n[[who]]\nname = "bob"\nkey = "ssh-ed25519 AAAA!!!!!!!!!!!!"\n'
    text += '[[who]]\nname = "eve"\nkey = "/home/of/eve/id_ed25519.pub"\n[[who]]\nname = "joe"\nuser = "joe"\n'
    rule = "is no SSH public key: give the line of an id_….pub"
    assert problems(tmp_path, text) == [("who.1.key", rule), ("who.2.key", rule)]
