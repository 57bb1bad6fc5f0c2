"""Names that tell of a secret."""

from __future__ import annotations

import pytest

from ledger.core.redaction.names import is_secret_name

TELLING = [".env", "app/.env.production", "prod.env", "id_ed25519", "certs/server.key", "x.PEM", ".netrc"]
TELLING += ["credentials", "gcp/credentials.json", "secrets.yaml", "home/.ssh/config", ".aws/config", "a.tfvars"]
HARMLESS = [".env.example", "env.py", "id_ed25519.pub", "keys.md", "monkey", "src/environment.ts", "credentials.py"]


@pytest.mark.parametrize("path", TELLING)
def test_a_file_for_keys_or_passwords_is_known_by_its_name(path: str) -> None:
    assert is_secret_name(path)


@pytest.mark.parametrize("path", HARMLESS)
def test_a_name_that_merely_sounds_like_one_tells_nothing(path: str) -> None:
    assert not is_secret_name(path)
