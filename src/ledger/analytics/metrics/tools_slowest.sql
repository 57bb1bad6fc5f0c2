-- section: tools
-- title: The slowest calls
-- tells: what was waited for longest
-- unit: microseconds
-- formula: the ten calls of the longest duration
-- sources: tool.completed, tool.failed
-- rows: slowest
WITH placed AS (
    SELECT
        group_name, id, session, tool, brief, duration_us, is_failed,
        ROW_NUMBER() OVER (PARTITION BY group_name ORDER BY duration_us DESC, id) AS place
    FROM calls
    WHERE duration_us IS NOT NULL
)
SELECT group_name, id, session, tool, brief, duration_us, is_failed FROM placed WHERE place <= 10
ORDER BY group_name, place
