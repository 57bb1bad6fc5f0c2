-- Each file that a call or a commit of the project names.
SELECT {group} AS group_name, e.id, e.type, e.session, e.time_us, e.path
FROM event_files AS e
WHERE e.type IN ('tool.completed', 'git.committed') AND e.counts = 1 AND e.time_us >= {since} AND e.time_us <= {until}
