-- section: cost
-- title: Cost
-- tells: what the tokens cost by the list prices, whatever is really paid for them
-- unit: US dollars; tokens
-- formula: tokens of each kind times the price of the model for that kind, by the price table; `unpriced` are the tokens of models without a price, which are not in the sum; `told_usd` is what agents themselves say
-- sources: usage.reported
SELECT
    group_name, SUM(cost_usd) AS usd,
    SUM(CASE WHEN cost_usd IS NULL THEN tokens_input + tokens_output + tokens_cache_read + tokens_cache_write ELSE 0 END)
        AS unpriced,
    SUM(told_usd) AS told_usd
FROM usage
GROUP BY group_name
