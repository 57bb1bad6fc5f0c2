"""Codex, as `codex exec`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.agents import responses

NAME = "codex"
PROGRAM = "codex"
WIRE = responses

# Of a project that is not trusted, Codex reads no hooks.
CONFIG = """\
model = "scripted-1"
model_provider = "local"
model_catalog_json = "{catalog}"
check_for_update_on_startup = false

[model_providers.local]
name = "local"
base_url = "{url}/v1"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0

[analytics]
enabled = false

[projects."{project}"]
trust_level = "trusted"
"""

# A model that Codex knows nothing of is not given the tool that edits files.
CATALOG = {
    "models": [
        {
            "slug": "scripted-1",
            "display_name": "Scripted",
            "description": "Does as a script says.",
            "base_instructions": "Do as the script says.",
            "supported_in_api": True,
            "visibility": "list",
            "priority": 1,
            "shell_type": "unified_exec",
            "apply_patch_tool_type": "freeform",
            "context_window": 200_000,
            "truncation_policy": {"mode": "tokens", "limit": 10_000},
            "supported_reasoning_levels": [],
            "supports_reasoning_summaries": False,
            "supports_parallel_tool_calls": False,
            "support_verbosity": False,
            "experimental_supported_tools": [],
        }
    ]
}


def furnish(home: Path, project: Path, url: str) -> Mapping[str, str]:
    folder = home / ".codex"
    folder.mkdir(exist_ok=True)
    catalog = folder / "models.json"
    catalog.write_text(json.dumps(CATALOG))
    (folder / "config.toml").write_text(CONFIG.format(url=url, catalog=catalog, project=project))
    return {}


def arguments(prompt: str, resume: str | None) -> Sequence[str]:
    again = [] if resume is None else ["resume", resume or "--last"]
    return ["exec", *again, "--json", "--dangerously-bypass-approvals-and-sandbox", prompt]
