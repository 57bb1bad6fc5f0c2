-- Every event that counts, in the time asked for; `group_name` is what the figures are told by.
SELECT e.*, {group} AS group_name
FROM events AS e
WHERE e.counts = 1 AND e.time_us >= {since} AND e.time_us <= {until}
