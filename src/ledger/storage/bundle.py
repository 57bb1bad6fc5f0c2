"""Bundles: a whole repository in one file, as `git bundle` writes it and any git reads it."""

from __future__ import annotations

from pathlib import Path

from ledger.errors import DamageError
from ledger.storage.files import FILE_MODE
from ledger.storage.program import require_git, run_git


def write_bundle(git_dir: Path, file: Path) -> bool:
    """Write all refs of a repository with all that they reach; False, and no file, where there is no ref."""
    if not require_git(git_dir, ["for-each-ref", "--count=1"]).strip():
        return False
    require_git(git_dir, ["bundle", "create", "--quiet", str(file), "--all"])
    file.chmod(FILE_MODE)
    return True


def require_sound_bundle(git_dir: Path, file: Path) -> None:
    """Raise DamageError if a bundle is not whole, or needs commits that it does not hold."""
    ran = run_git(git_dir, ["bundle", "verify", "--quiet", str(file)])
    if ran.code != 0:
        raise DamageError(f"{file} is not a whole bundle: {ran.err.strip()}", hint="use another backup")


def read_bundle(git_dir: Path, file: Path) -> None:
    """Bring everything that a bundle holds into an empty repository; git checks every object on the way."""
    require_sound_bundle(git_dir, file)
    ran = run_git(git_dir, ["fetch", "--quiet", "--no-write-fetch-head", str(file), "refs/*:refs/*"])
    if ran.code != 0:
        raise DamageError(f"{file} cannot be read: {ran.err.strip()}", hint="use another backup")
