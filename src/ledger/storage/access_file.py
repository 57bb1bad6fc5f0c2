"""The access file of a server: `access.toml` in the bare repository."""

from __future__ import annotations

import json
from pathlib import Path

from ledger.core import schema
from ledger.core.access import Access, access_of
from ledger.errors import InvalidError, Problem
from ledger.storage.signing import key_of

NAME = "access.toml"

TEMPLATE = """\
# Who may write what to this ledger. With nobody named, everybody may whom the transport lets in.
#
# signatures = "required"            # every commit is signed, by a key that is named here
#
# [[who]]
# name = "ann"
# key = "ssh-ed25519 AAAA..."        # who signs with it is ann
# user = "ann"                       # or: whom the transport calls so (REMOTE_USER, LEDGER_USER) and who signs nothing
# agents = ["claude-code", "person"] # in whose name; patterns. All without it
# sessions = ["*"]                   # likewise, by session id
# keys = ["api", "docs/plan"]        # the shared keys, with all below them, that ann may write. All without it
# administrator = true               # may begin an epoch: cut history, forget content
"""


def read_access(git_dir: Path) -> Access:
    """Who may write to a repository; everybody where there is no file. Raises InvalidError with every problem."""
    import tomllib

    path = git_dir / NAME
    try:
        told = json.loads(json.dumps(tomllib.loads(path.read_text(encoding="utf-8")), default=str))
    except FileNotFoundError:
        return Access()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidError(f"{path} is not valid TOML", [Problem(NAME, str(error))]) from error
    broken = [] if schema.is_valid("access", told) else schema.explain(schema.schema("access"), told)
    if broken:
        raise InvalidError(f"{path} is not valid:", broken, hint="`ledger schema access` shows what it may hold")
    keys = [key_of(one["key"]) if "key" in one else None for one in told.get("who", ())]
    broken = [
        Problem(f"who.{number}.key", "is no SSH public key: give the line of an id_….pub")
        for number, (one, key) in enumerate(zip(told.get("who", ()), keys, strict=True))
        if "key" in one and key is None
    ]
    if broken:
        raise InvalidError(f"{path} is not valid:", broken)
    return access_of(told, keys)
