-- section: context
-- title: Context
-- tells: how much is shared, how much of it is used again, and what lies idle
-- unit: keys; bytes as JSON; writes; share
-- formula: `keys` at which the last write is no deletion, `bytes` the sum of their last writes; `reuse_rate` = keys that another session than their writer was handed / keys; `stale` keys neither written nor handed in the last 30 days; `duplicates` keys whose value stands at another key too; `health` = keys neither stale nor duplicate / keys
-- sources: context.*, decision.recorded, conflict.resolved, context.read
-- aim: reuse_rate over 60 %
WITH used AS (
    SELECT
        l.group_name, l.key_name, MAX(l.value_bytes) AS value_bytes, MAX(l.value_digest) AS value_digest,
        MAX(CASE WHEN h.session <> l.session AND h.id > l.id THEN 1 ELSE 0 END) AS is_reused,
        MAX(CASE WHEN h.time_us > l.time_us THEN h.time_us ELSE l.time_us END) AS used_us
    FROM live_keys AS l
    LEFT JOIN handed AS h ON h.key_name = l.key_name AND h.group_name = l.group_name
    GROUP BY l.group_name, l.key_name
),
placed AS (
    SELECT
        u.*, CASE WHEN u.used_us < {now} - 2592000000000 THEN 1 ELSE 0 END AS is_stale,
        CASE WHEN u.value_digest IS NOT NULL
            AND COUNT(*) OVER (PARTITION BY u.group_name, u.value_digest) > 1 THEN 1 ELSE 0 END AS is_duplicate
    FROM used AS u
),
written AS (
    SELECT group_name, COUNT(*) AS writes, SUM(value_bytes) AS written_bytes FROM writes GROUP BY group_name
),
counted AS (
    SELECT
        group_name, COUNT(*) AS keys, SUM(value_bytes) AS bytes, SUM(is_reused) AS reused, SUM(is_stale) AS stale,
        SUM(is_duplicate) AS duplicates,
        SUM(CASE WHEN is_stale = 0 AND is_duplicate = 0 THEN 1 ELSE 0 END) AS healthy
    FROM placed
    GROUP BY group_name
)
SELECT
    w.group_name, COALESCE(c.keys, 0) AS keys, COALESCE(c.bytes, 0) AS bytes, w.writes,
    COALESCE(w.written_bytes, 0) AS written_bytes, COALESCE(c.reused, 0) AS reused,
    CASE WHEN c.keys > 0 THEN CAST(c.reused AS DOUBLE) / c.keys END AS reuse_rate,
    COALESCE(c.stale, 0) AS stale, COALESCE(c.duplicates, 0) AS duplicates,
    CASE WHEN c.keys > 0 THEN CAST(c.healthy AS DOUBLE) / c.keys END AS health
FROM written AS w
LEFT JOIN counted AS c ON c.group_name = w.group_name
