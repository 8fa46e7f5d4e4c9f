"""`tccc audit`: accounts for every record of the topic, from the topic's offsets and the ledger."""
