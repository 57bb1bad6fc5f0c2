-- section: events
-- title: Events
-- tells: how much was recorded
-- unit: events
-- formula: the number of events that count; of one fact that was told twice, one
-- sources: all
SELECT group_name, COUNT(*) AS total FROM facts GROUP BY group_name
