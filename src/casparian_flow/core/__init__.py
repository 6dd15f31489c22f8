"""The nouns and their laws: pure values, no input or output, no clock; blake3 is the only library."""
