-- section: context
-- title: What agents were handed
-- tells: whether what agents are given to read is new to them, or said again
-- unit: keys handed; share
-- formula: every key in every context.read; `repeated` where the session was handed it before and nobody has written it since; efficiency = 1 - repeated / handed
-- sources: context.read, context.*, decision.recorded, conflict.resolved
-- aim: efficiency over 80 %
WITH steps AS (
    SELECT group_name, session, key_name, id, 1 AS is_handed FROM handed
    UNION ALL
    SELECT w.group_name, h.session, w.key_name, w.id, 0 AS is_handed
    FROM writes AS w
    JOIN (SELECT DISTINCT session, key_name FROM handed) AS h ON h.key_name = w.key_name
),
ordered AS (
    SELECT
        group_name, is_handed,
        LAG(is_handed) OVER (PARTITION BY session, key_name ORDER BY id, is_handed) AS was_handed
    FROM steps
)
SELECT
    group_name, SUM(is_handed) AS handed, SUM(CASE WHEN is_handed = 1 AND was_handed = 1 THEN 1 ELSE 0 END) AS repeated,
    1 - CAST(SUM(CASE WHEN is_handed = 1 AND was_handed = 1 THEN 1 ELSE 0 END) AS DOUBLE) / SUM(is_handed) AS efficiency
FROM ordered
GROUP BY group_name
HAVING SUM(is_handed) > 0
