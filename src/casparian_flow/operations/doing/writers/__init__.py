"""One writer per format of a file that a person asks for; each streams batches and holds a few at a time."""
