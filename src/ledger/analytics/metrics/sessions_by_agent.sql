-- section: sessions
-- title: Sessions by agent
-- tells: who worked
-- unit: sessions; events; turns
-- formula: as for Sessions, for each agent
-- sources: all; turn.ended
-- rows: by_agent
SELECT group_name, agent, COUNT(*) AS total, SUM(events) AS events, SUM(turns) AS turns
FROM runs
GROUP BY group_name, agent
ORDER BY group_name, total DESC, agent
