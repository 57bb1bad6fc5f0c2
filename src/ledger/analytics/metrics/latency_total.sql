-- section: latency
-- title: From the hook to the ledger
-- tells: how long after it happened a fact is in the ledger
-- unit: events; microseconds
-- formula: the time of the event's id less the time at which it happened, of what hooks recorded; percentiles by the nearest rank
-- sources: all whose origin is a hook
WITH placed AS (
    SELECT
        group_name, recorded_us - time_us AS late_us,
        ROW_NUMBER() OVER (PARTITION BY group_name ORDER BY recorded_us - time_us) AS place,
        COUNT(*) OVER (PARTITION BY group_name) AS among
    FROM facts
    WHERE source = 'hook'
)
SELECT
    group_name, COUNT(*) AS events,
    MAX(CASE WHEN place * 100 >= among * 50 AND (place - 1) * 100 < among * 50 THEN late_us END) AS p50_us,
    MAX(CASE WHEN place * 100 >= among * 95 AND (place - 1) * 100 < among * 95 THEN late_us END) AS p95_us
FROM placed
GROUP BY group_name
