-- section: tokens
-- title: Tokens by model
-- tells: which model read, wrote and cost what
-- unit: tokens; messages; US dollars
-- formula: as for Tokens and Cost, for each model
-- sources: usage.reported
-- rows: by_model
SELECT
    group_name, model, COUNT(*) AS messages, SUM(tokens_input) AS input, SUM(tokens_output) AS output,
    SUM(tokens_cache_read) AS cache_read, SUM(tokens_cache_write) AS cache_write, SUM(cost_usd) AS usd
FROM usage
GROUP BY group_name, model
ORDER BY group_name, usd DESC, model
