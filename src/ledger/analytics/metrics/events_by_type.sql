-- section: by_type
-- title: Events by type
-- tells: what was recorded
-- unit: events
-- formula: the number of events of each type
-- sources: all
-- rows: type
SELECT group_name, type, COUNT(*) AS total FROM facts GROUP BY group_name, type ORDER BY group_name, total DESC, type
