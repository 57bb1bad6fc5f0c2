-- section: tools
-- title: Calls by tool
-- tells: which tools are used, and which of them fail or take long
-- unit: calls; share; microseconds
-- formula: as for Calls of tools, for each tool
-- sources: tool.completed, tool.failed
-- rows: by_tool
WITH placed AS (
    SELECT
        group_name, tool, duration_us, is_failed,
        ROW_NUMBER() OVER (
            PARTITION BY group_name, tool, CASE WHEN duration_us IS NULL THEN 1 ELSE 0 END ORDER BY duration_us
        ) AS place,
        COUNT(duration_us) OVER (PARTITION BY group_name, tool) AS timed
    FROM calls
)
SELECT
    group_name, tool, COUNT(*) AS calls, SUM(is_failed) AS failed,
    CAST(SUM(is_failed) AS DOUBLE) / COUNT(*) AS failure_rate,
    COUNT(duration_us) AS timed, SUM(duration_us) AS duration_us,
    MAX(CASE WHEN place * 100 >= timed * 50 AND (place - 1) * 100 < timed * 50 THEN duration_us END) AS p50_us,
    MAX(CASE WHEN place * 100 >= timed * 95 AND (place - 1) * 100 < timed * 95 THEN duration_us END) AS p95_us
FROM placed
GROUP BY group_name, tool
ORDER BY group_name, calls DESC, tool
