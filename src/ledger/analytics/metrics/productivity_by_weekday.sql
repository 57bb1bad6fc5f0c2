-- section: productivity
-- title: Work by weekday
-- tells: when work is done, and when it comes to something
-- unit: events; prompts; calls; commits; tasks
-- formula: counts by when it happened; 0 is Monday
-- sources: all; prompt.submitted, tool.completed, tool.failed, git.committed, task.completed
-- rows: by_weekday
SELECT
    group_name, weekday, COUNT(*) AS events,
    SUM(CASE WHEN type = 'prompt.submitted' THEN 1 ELSE 0 END) AS prompts,
    SUM(CASE WHEN type IN ('tool.completed', 'tool.failed') THEN 1 ELSE 0 END) AS calls,
    SUM(CASE WHEN type = 'git.committed' THEN 1 ELSE 0 END) AS commits,
    SUM(CASE WHEN type = 'task.completed' THEN 1 ELSE 0 END) AS tasks
FROM (SELECT group_name, type, CAST((((time_us + {zone}) - (time_us + {zone}) % 86400000000) / 86400000000 + 3) % 7 AS BIGINT) AS weekday FROM facts) AS placed
GROUP BY group_name, weekday
ORDER BY group_name, weekday
