"""Redaction: no secret reaches a git object; a typed marker takes its place."""

from ledger.core.redaction.engine import Finding, Redactor, default_redactor
from ledger.core.redaction.rules import RULES, Rule

__all__ = ["RULES", "Finding", "Redactor", "Rule", "default_redactor"]
