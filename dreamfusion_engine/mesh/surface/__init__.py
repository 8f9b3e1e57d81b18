"""Turn density into a closed surface of few triangles."""
