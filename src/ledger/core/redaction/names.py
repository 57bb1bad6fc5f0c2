"""Names that tell of a secret: files that hold keys or passwords whatever stands in them."""

from __future__ import annotations

import re

# `.env.example` and its like are made to be shared, and so is the public half of a key.
_FILES = re.compile(
    r"\.env(?!\.(?:example|sample|template|dist)$)(?:\.[^/]*)?|[^/]+\.env|\.envrc"
    r"|id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?|[^/]*\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk|asc)"
    r"|[._]netrc|\.pgpass|\.my\.cnf|\.pypirc|\.npmrc|\.htpasswd|\.git-credentials|\.dockercfg"
    r"|credentials(?:\.(?:json|ya?ml|toml|ini|csv))?|secrets?\.(?:json|ya?ml|toml|ini|env)"
    r"|[^/]*\.(?:tfvars|tfstate)|service-account[^/]*\.json",
    re.IGNORECASE,
)
_FOLDERS = frozenset({".ssh", ".gnupg", ".aws", ".azure", ".kube"})


def is_secret_name(path: str) -> bool:
    """Whether a file of that path most likely holds a secret, by its name or by a folder that it lies in."""
    *folders, name = path.split("/")
    return _FILES.fullmatch(name) is not None or not _FOLDERS.isdisjoint(folders)
