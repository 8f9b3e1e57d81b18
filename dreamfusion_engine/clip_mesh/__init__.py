"""A sphere's smooth surface, with colours and normals as maps, bent to an object by a CLIP (CLIP-Mesh, Khalid 2022)."""
