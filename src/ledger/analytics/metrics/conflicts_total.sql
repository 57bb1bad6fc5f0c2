-- section: conflicts
-- title: Conflicts and leases
-- tells: how often sessions got into each other's way, and how it was settled
-- unit: writes; conflicts; leases; microseconds
-- formula: `unseen` are writes that replace what another had replaced already, under policies where one has to win (lww, text, max and min merge by themselves and are left out but for lww): of n writes that replace the same one, n - 1; `settled` conflicts that somebody resolved; leases released by another session than their owner's were `taken`; `held_us` the median time that one was held
-- sources: context.set, context.deleted, decision.recorded, conflict.resolved, sync.merged, lease.acquired, lease.released
WITH unseen AS (
    SELECT group_name, SUM(among - 1) AS unseen FROM (
        SELECT group_name, COUNT(*) AS among
        FROM writes
        WHERE COALESCE(policy, 'lww') = 'lww' AND replaces IS NOT NULL AND type <> 'conflict.resolved'
        GROUP BY group_name, key_name, replaces
    ) AS forks
    GROUP BY group_name
),
released AS (
    SELECT
        a.group_name, r.recorded_us - a.recorded_us AS held_us, CASE WHEN r.session <> a.session THEN 1 ELSE 0 END AS taken,
        ROW_NUMBER() OVER (PARTITION BY a.group_name ORDER BY r.recorded_us - a.recorded_us) AS place,
        COUNT(*) OVER (PARTITION BY a.group_name) AS among
    FROM leases AS a
    JOIN leases AS r ON r.lease = a.id AND r.type = 'lease.released'
    WHERE a.type = 'lease.acquired'
),
held AS (
    SELECT
        group_name, COUNT(*) AS released, SUM(taken) AS taken,
        MAX(CASE WHEN place * 2 >= among AND (place - 1) * 2 < among THEN held_us END) AS held_us
    FROM released
    GROUP BY group_name
),
counted AS (
    SELECT
        group_name, SUM(CASE WHEN type = 'conflict.resolved' THEN 1 ELSE 0 END) AS settled,
        SUM(CASE WHEN type = 'sync.merged' THEN 1 ELSE 0 END) AS merges,
        SUM(CASE WHEN type = 'lease.acquired' THEN 1 ELSE 0 END) AS leases
    FROM facts
    GROUP BY group_name
)
SELECT
    c.group_name, COALESCE(u.unseen, 0) AS unseen, c.settled, c.merges, c.leases, COALESCE(h.released, 0) AS released,
    COALESCE(h.taken, 0) AS taken, h.held_us AS held_us
FROM counted AS c
LEFT JOIN unseen AS u ON u.group_name = c.group_name
LEFT JOIN held AS h ON h.group_name = c.group_name
