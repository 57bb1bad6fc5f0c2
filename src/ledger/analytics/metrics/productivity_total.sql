-- section: productivity
-- title: What came of it
-- tells: how much was finished in the time that was worked
-- unit: commits; files; tasks; microseconds; per hour
-- formula: commits of the project, files that calls and commits name (each once), tasks completed and failed; an hour worked is one in which a session has an event: active_us = sessions x hours with an event, and the rates are per such hour
-- sources: git.committed, task.completed, task.failed, tool.completed, tool.failed; all
WITH hours AS (
    SELECT group_name, COUNT(*) AS worked FROM (
        SELECT DISTINCT group_name, session, CAST((time_us - time_us % 3600000000) / 3600000000 AS BIGINT) AS hour_number
        FROM facts
    ) AS h
    GROUP BY group_name
),
changed AS (
    SELECT group_name, COUNT(DISTINCT path) AS files FROM touched GROUP BY group_name
),
counted AS (
    SELECT
        group_name, COUNT(DISTINCT CASE WHEN type = 'git.committed' THEN project_commit END) AS commits,
        SUM(CASE WHEN type = 'task.completed' THEN 1 ELSE 0 END) AS tasks_completed,
        SUM(CASE WHEN type = 'task.failed' THEN 1 ELSE 0 END) AS tasks_failed
    FROM facts
    GROUP BY group_name
)
SELECT
    c.group_name, c.commits, COALESCE(t.files, 0) AS files, c.tasks_completed, c.tasks_failed,
    h.worked * 3600000000 AS active_us,
    CAST(c.commits AS DOUBLE) / h.worked AS commits_per_hour,
    CAST(c.tasks_completed AS DOUBLE) / h.worked AS tasks_per_hour
FROM counted AS c
JOIN hours AS h ON h.group_name = c.group_name
LEFT JOIN changed AS t ON t.group_name = c.group_name
