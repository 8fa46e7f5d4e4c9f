"""`tccc dead`: looks at dead letters, publishes them again, or marks them as dropped."""
