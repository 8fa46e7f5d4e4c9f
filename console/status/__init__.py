"""`tccc status`: one screen of what runs, what waits, and what is stored."""
