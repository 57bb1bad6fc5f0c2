-- section: sessions
-- title: Sessions
-- tells: how many there were, how they stand, and how long they usually are
-- unit: sessions; turns; microseconds
-- formula: a session is every id that an event names; `ended` after its last start, `crashed` not taken up since, `open` neither; `length_p50_us` the median time from a session's first event to its last
-- sources: all; session.started, session.resumed, session.ended, session.crashed, session.recovered, turn.ended
WITH placed AS (
    SELECT
        r.*, ROW_NUMBER() OVER (PARTITION BY r.group_name ORDER BY r.length_us) AS place,
        COUNT(*) OVER (PARTITION BY r.group_name) AS among
    FROM runs AS r
)
SELECT
    group_name, COUNT(*) AS total,
    SUM(CASE WHEN ended > resumed AND ended > crashed THEN 1 ELSE 0 END) AS ended,
    SUM(CASE WHEN crashed > resumed AND crashed > ended THEN 1 ELSE 0 END) AS crashed,
    SUM(CASE WHEN (ended > resumed AND ended > crashed) OR (crashed > resumed AND crashed > ended) THEN 0 ELSE 1 END)
        AS open,
    SUM(prompts) AS prompts, SUM(turns) AS turns,
    MAX(CASE WHEN place * 2 >= among AND (place - 1) * 2 < among THEN length_us END) AS length_p50_us
FROM placed
GROUP BY group_name
