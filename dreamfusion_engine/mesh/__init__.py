"""From density to a textured mesh: extract, clean up, unwrap, bake, export."""
