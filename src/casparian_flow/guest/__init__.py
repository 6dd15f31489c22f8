"""The child process around a parser. Imports only the sdk, pyarrow and what the parser requires."""
