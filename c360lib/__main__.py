"""`python -m c360lib` is the same as `c360`."""

from c360lib.cli import main

if __name__ == "__main__":
    main()
