"""Fuzz targets: what reads foreign bytes, each with the law that no bytes may break."""
