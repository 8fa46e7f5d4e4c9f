"""`tccc doctor`: can each dependency be reached and do its work, with what to do if not."""
