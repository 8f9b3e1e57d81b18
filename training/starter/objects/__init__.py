"""The kinds of objects in the corpus: each a short function of a random generator that returns coloured primitives.

Z up, the front faces -Y. An object is about 2 units large, and `kinds.make_object` brings it to its size. A maker takes
the main colour that the caption names, or None for the natural one, and the named part's colour, or None. Sizes vary a
little, so that the model learns the kind and not one instance.
"""
