"""The judge: image and text encoders (CLIP's architecture) that tell how well a picture fits a caption."""
