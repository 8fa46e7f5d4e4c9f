"""Who may push: decided from the one Authorization header, before anything of the body is read."""
