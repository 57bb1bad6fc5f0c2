-- section: recovery
-- title: Crashes by layer
-- tells: what crashes were found by
-- unit: crashes
-- formula: the number of crashes whose evidence names the layer
-- sources: session.crashed
-- rows: by_layer
SELECT group_name, COALESCE(layer, '') AS layer, COUNT(*) AS crashes
FROM crashes
WHERE type = 'session.crashed'
GROUP BY group_name, COALESCE(layer, '')
ORDER BY group_name, crashes DESC, layer
