-- What each message of a model took, with its price: null where the table has none for the model.
SELECT
    f.group_name, f.id, f.session, f.agent, f.time_us, COALESCE(f.model, '') AS model,
    COALESCE(f.tokens_input, 0) AS tokens_input, COALESCE(f.tokens_output, 0) AS tokens_output,
    COALESCE(f.tokens_cache_read, 0) AS tokens_cache_read, COALESCE(f.tokens_cache_write, 0) AS tokens_cache_write,
    COALESCE(f.tokens_reasoning, 0) AS tokens_reasoning, f.cost_usd AS told_usd,
    (
        COALESCE(f.tokens_input, 0) * p.input + COALESCE(f.tokens_output, 0) * p.output
        + COALESCE(f.tokens_cache_read, 0) * p.cache_read + COALESCE(f.tokens_cache_write, 0) * p.cache_write
    ) / 1000000 AS cost_usd
FROM facts AS f
LEFT JOIN prices AS p ON p.model = f.model
WHERE f.type = 'usage.reported'
