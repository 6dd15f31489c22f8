"""Front ends: they ask through one door and show the answer."""
