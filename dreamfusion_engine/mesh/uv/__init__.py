"""The unwrap: charts, their place in the texture, overlaps."""
