"""Config: the settings of one machine for one ledger, in `config.toml` of its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from ledger.errors import InvalidError, Problem

LIMIT = 16 * 1024 * 1024  # bytes of one attachment
CHECKPOINTS = 2 * 1024 * 1024 * 1024  # bytes of the working trees of all checkpoints


@dataclass(frozen=True, slots=True)
class Config:
    """What a user may set; every field has a default that is right for most."""

    durability: str = "full"
    max_attachment: int = LIMIT  # bytes
    max_checkpoints: int = CHECKPOINTS  # bytes, of all working trees together
    redaction_rules: dict[str, str] = field(default_factory=dict)
    redaction_allow: tuple[str, ...] = ()
    denies_leased: bool = False  # an edit of a file that another session has leased; else the agent is warned
    signing_key: str = ""  # the file of an SSH key that signs every commit; none where empty
    has_trailer: bool = False  # messages of agents' commits in the project name the session


def read_config(path: Path) -> Config:
    """Read the settings at `path`; defaults where there is no file. Raises InvalidError with every problem."""
    if not path.exists() or not path.stat().st_size:
        return Config()
    import tomllib  # 4 to 9 ms, which most processes need not pay: the file of a new ledger is empty

    try:
        # TOML knows dates, which no setting is and no schema; here they are the texts that they look like.
        told = json.loads(json.dumps(tomllib.loads(path.read_text(encoding="utf-8")), default=str))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidError(f"{path} is not valid TOML", [Problem("config.toml", str(error))]) from error
    if not told:
        return Config()
    from ledger.core import schema  # with it come the schemas' parser and judge; an empty file needs neither

    if not schema.is_valid("config", told):
        broken = schema.explain(schema.schema("config"), told)
        raise InvalidError(f"{path} is not valid:", broken, hint="`ledger schema config` shows what it may hold")
    redaction = told.get("redaction", {})
    return Config(
        durability=told.get("durability", "full"),
        max_attachment=told.get("payloads", {}).get("max_bytes", LIMIT),
        max_checkpoints=told.get("checkpoints", {}).get("max_bytes", CHECKPOINTS),
        redaction_rules=redaction.get("rules", {}),
        redaction_allow=tuple(redaction.get("allow", ())),
        denies_leased=told.get("hooks", {}).get("leased") == "deny",
        signing_key=told.get("signing", {}).get("key", ""),
        has_trailer=told.get("git", {}).get("trailer", False),
    )
