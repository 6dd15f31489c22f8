"""How each operation is done; what it is called and what it takes and gives stands one package up."""
