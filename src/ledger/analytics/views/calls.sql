-- Calls of tools: whether each failed, and how long it took where the agent says so.
SELECT
    f.group_name, f.id, f.session, f.time_us, COALESCE(f.tool, '') AS tool, f.brief, f.input_digest, f.duration_us,
    f.exit_code, f.subagent, CASE WHEN f.type = 'tool.failed' THEN 1 ELSE 0 END AS is_failed
FROM facts AS f
WHERE f.type IN ('tool.completed', 'tool.failed')
