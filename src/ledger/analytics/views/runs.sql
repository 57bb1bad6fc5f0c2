-- Sessions: when each began and was heard of last, its turns, and by which event it last ended, began and crashed.
SELECT
    f.group_name, f.session, MIN(f.agent) AS agent, MIN(f.host) AS host,
    MIN(f.time_us) AS began_us, MAX(f.time_us) AS last_us, MAX(f.time_us) - MIN(f.time_us) AS length_us,
    COUNT(*) AS events,
    SUM(CASE WHEN f.type = 'prompt.submitted' THEN 1 ELSE 0 END) AS prompts,
    SUM(CASE WHEN f.type = 'turn.ended' THEN 1 ELSE 0 END) AS turns,
    MAX(CASE WHEN f.type = 'session.ended' THEN f.id ELSE '' END) AS ended,
    MAX(CASE WHEN f.type IN ('session.started', 'session.resumed', 'session.recovered') THEN f.id ELSE '' END)
        AS resumed,
    MAX(CASE WHEN f.type = 'session.crashed' THEN f.id ELSE '' END) AS crashed
FROM facts AS f
GROUP BY f.group_name, f.session
