"""Every verb of the product once: a name, a request, a reply, an effect class and a function."""
