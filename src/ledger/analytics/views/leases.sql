-- Leases as they were acquired and given back.
SELECT f.group_name, f.id, f.type, f.session, f.recorded_us, f.lease
FROM facts AS f
WHERE f.type IN ('lease.acquired', 'lease.released')
