"""How much memory is needed, beside what the engine estimates."""
