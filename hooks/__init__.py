"""What agents and git run, and what runs behind it."""
