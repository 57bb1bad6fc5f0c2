"""Policies of the house of Acme."""
