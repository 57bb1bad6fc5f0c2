-- The shared keys at which something stands: the last write of each, by its id.
SELECT w.group_name, w.key_name, w.id, w.session, w.time_us, w.value_bytes, w.value_digest
FROM writes AS w
JOIN (SELECT group_name, key_name, MAX(id) AS id FROM writes GROUP BY group_name, key_name) AS newest ON newest.id = w.id
WHERE w.type <> 'context.deleted'
