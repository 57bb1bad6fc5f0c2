-- section: recovery
-- title: Crashes and recoveries
-- tells: how often sessions crash, and whether anything is lost then
-- unit: crashes; recoveries; events; microseconds; share
-- formula: `recovered` are the crashes that a recovery followed in the same session, `success_rate` = recovered / crashes, `wait_us` the median time from a crash that was recorded to that recovery, `lost` the acknowledged events that could not be brought back
-- sources: session.crashed, session.recovered
-- aim: lost = 0
WITH recoveries AS (
    SELECT group_name, id, session, recorded_us, events, lost FROM crashes WHERE type = 'session.recovered'
),
paired AS (
    SELECT c.group_name, c.id, MIN(r.recorded_us) - MIN(c.recorded_us) AS wait_us
    FROM crashes AS c
    LEFT JOIN recoveries AS r ON r.session = c.session AND r.id > c.id
    WHERE c.type = 'session.crashed'
    GROUP BY c.group_name, c.id
),
placed AS (
    SELECT
        group_name, wait_us,
        ROW_NUMBER() OVER (PARTITION BY group_name, CASE WHEN wait_us IS NULL THEN 1 ELSE 0 END ORDER BY wait_us) AS place,
        COUNT(wait_us) OVER (PARTITION BY group_name) AS among
    FROM paired
),
counted AS (
    SELECT
        group_name, COUNT(*) AS crashes, COUNT(wait_us) AS recovered,
        MAX(CASE WHEN place * 2 >= among AND (place - 1) * 2 < among THEN wait_us END) AS wait_us
    FROM placed
    GROUP BY group_name
),
brought AS (
    SELECT group_name, COUNT(*) AS recoveries, SUM(events) AS replayed, SUM(lost) AS lost FROM recoveries GROUP BY group_name
),
groups AS (
    SELECT group_name FROM counted UNION SELECT group_name FROM brought
)
SELECT
    g.group_name, COALESCE(c.crashes, 0) AS crashes, COALESCE(c.recovered, 0) AS recovered,
    CASE WHEN c.crashes > 0 THEN CAST(c.recovered AS DOUBLE) / c.crashes END AS success_rate,
    c.wait_us AS wait_us, COALESCE(b.recoveries, 0) AS recoveries, COALESCE(b.replayed, 0) AS replayed,
    COALESCE(b.lost, 0) AS lost
FROM groups AS g
LEFT JOIN counted AS c ON c.group_name = g.group_name
LEFT JOIN brought AS b ON b.group_name = g.group_name
