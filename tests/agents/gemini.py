"""Gemini CLI, as `gemini -p`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.agents import generate

NAME = "gemini"
PROGRAM = "gemini"
WIRE = generate

SETTINGS = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "privacy": {"usageStatisticsEnabled": False},
    "general": {"disableAutoUpdate": True, "enableAutoUpdate": False},
}


def furnish(home: Path, project: Path, url: str) -> Mapping[str, str]:
    settings = home / ".gemini" / "settings.json"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(json.dumps(SETTINGS, indent=2))
    return {
        "GEMINI_API_KEY": "no-key",
        "GOOGLE_GEMINI_BASE_URL": url,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }


def arguments(prompt: str, resume: str | None) -> Sequence[str]:
    again = [] if resume is None else ["--resume", resume or "latest"]
    return ["-m", "scripted-1", "--approval-mode", "yolo", *again, "-p", prompt]
