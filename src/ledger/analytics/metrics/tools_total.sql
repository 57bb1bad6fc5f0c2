-- section: tools
-- title: Calls of tools
-- tells: how much was done with tools, and how often it failed
-- unit: calls; share; microseconds
-- formula: calls = tool.completed + tool.failed; failure_rate = failed / calls; durations of those calls whose agent tells them (timed), percentiles by the nearest rank
-- sources: tool.completed, tool.failed
WITH placed AS (
    SELECT
        group_name, duration_us, is_failed,
        ROW_NUMBER() OVER (PARTITION BY group_name, CASE WHEN duration_us IS NULL THEN 1 ELSE 0 END ORDER BY duration_us)
            AS place,
        COUNT(duration_us) OVER (PARTITION BY group_name) AS timed
    FROM calls
)
SELECT
    group_name, COUNT(*) AS calls, SUM(is_failed) AS failed,
    CAST(SUM(is_failed) AS DOUBLE) / COUNT(*) AS failure_rate,
    COUNT(duration_us) AS timed, SUM(duration_us) AS duration_us,
    MAX(CASE WHEN place * 100 >= timed * 50 AND (place - 1) * 100 < timed * 50 THEN duration_us END) AS p50_us,
    MAX(CASE WHEN place * 100 >= timed * 95 AND (place - 1) * 100 < timed * 95 THEN duration_us END) AS p95_us
FROM placed
GROUP BY group_name
