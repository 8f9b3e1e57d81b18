"""The kinds of objects in the corpus: each a short function of a random generator that returns coloured primitives.

Z up, the front faces -Y. `main` is the colour the caption names, or None for the natural one. Sizes vary a little, so
that the model learns the kind and not one instance.
"""
