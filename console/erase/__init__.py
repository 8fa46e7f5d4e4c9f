"""`tccc erase`: removes a person, and says what of them remains where."""
