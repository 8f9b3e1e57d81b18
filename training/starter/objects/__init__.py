"""The kinds of objects in the corpus: each a short function of a random generator that returns coloured primitives.

Z up, the front faces -Y. A maker takes the main colour that the caption names, or None for the natural one, and the
named part's colour, or None. Sizes vary a little, so that the model learns the kind and not one instance.
"""
