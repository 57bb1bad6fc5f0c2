"""OpenCode, as `opencode run`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.agents import completions

NAME = "opencode"
PROGRAM = "opencode"
WIRE = completions


def furnish(home: Path, project: Path, url: str) -> Mapping[str, str]:
    settings = home / ".config" / "opencode" / "opencode.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps(_settings(url), indent=2))
    return {
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        # A plugin folder makes it install the plugins' library; what cannot be reached is not asked for for ever.
        "npm_config_fetch_retries": "0",
    }


def arguments(prompt: str, resume: str | None) -> Sequence[str]:
    again = [] if resume is None else ["--session", resume] if resume else ["--continue"]
    return ["run", "--auto", "--format", "json", *again, prompt]


def _settings(url: str) -> dict[str, Any]:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{url}/v1", "apiKey": "no-key"},
        "models": {"scripted-1": {"name": "scripted-1"}},
    }
    return {
        "$schema": "https://opencode.ai/config.json",
        "model": "local/scripted-1",
        "small_model": "local/scripted-1",
        "autoupdate": False,
        "share": "disabled",
        "provider": {"local": provider},
    }
