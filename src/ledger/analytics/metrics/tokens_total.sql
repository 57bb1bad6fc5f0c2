-- section: tokens
-- title: Tokens
-- tells: what the models read and wrote
-- unit: tokens; messages
-- formula: sums over the messages of models, each counted once, in a fork of its session too; input is what no cache held
-- sources: usage.reported
SELECT
    group_name, SUM(tokens_input) AS input, SUM(tokens_output) AS output, SUM(tokens_cache_read) AS cache_read,
    SUM(tokens_cache_write) AS cache_write, SUM(tokens_reasoning) AS reasoning, COUNT(*) AS messages
FROM usage
GROUP BY group_name
