"""Control-plane state: its schema and all its SQL, and nobody else's."""
