-- Writes of shared context, decisions included: to which key, how large, and what each saw.
SELECT
    f.group_name, f.id, f.type, f.session, f.time_us, f.key_name, f.policy, f.value_bytes, f.value_digest, f.replaces
FROM facts AS f
WHERE f.key_name IS NOT NULL AND COALESCE(f.scope, 'shared') = 'shared'
    AND (f.type LIKE 'context.%' OR f.type IN ('decision.recorded', 'conflict.resolved'))
