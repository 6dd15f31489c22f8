"""`python -m casparian_flow` is the command `casparian`."""

from casparian_flow.clients.cli.root import main

if __name__ == "__main__":
    main()
