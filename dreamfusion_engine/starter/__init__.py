"""The weights of the built-in text-to-image model. training/starter makes them."""
