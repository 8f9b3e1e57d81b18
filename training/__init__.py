"""Programs that train networks which do not come with the engine."""
