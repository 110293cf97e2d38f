"""Floor 0: frozen values, the errors, and their JSON form. No effects, nothing above imported."""
