-- Each key in what an agent was handed to read.
SELECT {group} AS group_name, e.id, e.session, e.time_us, e.handed_key AS key_name
FROM event_keys AS e
WHERE e.type = 'context.read' AND e.counts = 1 AND e.time_us >= {since} AND e.time_us <= {until}
