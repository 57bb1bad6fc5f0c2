"""Payloads and transcripts of agents in, facts out: pure, and unaware of storage."""
