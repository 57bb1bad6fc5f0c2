-- section: productivity
-- title: Work by hour of the day
-- tells: when work is done, and when it comes to something
-- unit: events; prompts; calls; commits; tasks
-- formula: counts by when it happened; 0 to 23, by the clock of the machine that counts
-- sources: all; prompt.submitted, tool.completed, tool.failed, git.committed, task.completed
-- rows: by_hour
SELECT
    group_name, hour, COUNT(*) AS events,
    SUM(CASE WHEN type = 'prompt.submitted' THEN 1 ELSE 0 END) AS prompts,
    SUM(CASE WHEN type IN ('tool.completed', 'tool.failed') THEN 1 ELSE 0 END) AS calls,
    SUM(CASE WHEN type = 'git.committed' THEN 1 ELSE 0 END) AS commits,
    SUM(CASE WHEN type = 'task.completed' THEN 1 ELSE 0 END) AS tasks
FROM (SELECT group_name, type, CAST(((time_us + {zone}) % 86400000000 - ((time_us + {zone}) % 86400000000) % 3600000000) / 3600000000 AS BIGINT) AS hour FROM facts) AS placed
GROUP BY group_name, hour
ORDER BY group_name, hour
