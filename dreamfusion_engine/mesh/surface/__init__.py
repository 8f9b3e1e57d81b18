"""From density to a closed surface of few triangles."""
