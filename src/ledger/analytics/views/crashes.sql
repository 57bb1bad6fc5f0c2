-- Crashes of sessions, and their recoveries.
SELECT f.group_name, f.id, f.type, f.session, f.recorded_us, f.layer, f.events, f.lost
FROM facts AS f
WHERE f.type IN ('session.crashed', 'session.recovered')
