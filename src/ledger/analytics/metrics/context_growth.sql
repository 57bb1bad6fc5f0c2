-- section: context
-- title: Growth of the context
-- tells: how fast it grows
-- unit: writes; keys; bytes as JSON
-- formula: by day (UTC, days since 1970): writes, keys written for the first time, and the size of what was written
-- sources: context.*, decision.recorded, conflict.resolved
-- rows: growth
SELECT
    group_name, day, COUNT(*) AS writes, SUM(is_first) AS new_keys, COALESCE(SUM(value_bytes), 0) AS written_bytes
FROM (
    SELECT
        group_name, value_bytes, CAST((time_us - time_us % 86400000000) / 86400000000 AS BIGINT) AS day,
        CASE WHEN ROW_NUMBER() OVER (PARTITION BY group_name, key_name ORDER BY id) = 1 THEN 1 ELSE 0 END AS is_first
    FROM writes
) AS placed
GROUP BY group_name, day
ORDER BY group_name, day
