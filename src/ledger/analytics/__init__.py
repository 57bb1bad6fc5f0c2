"""Analytics: figures counted from the events, each by one file of SQL that every engine runs alike."""
