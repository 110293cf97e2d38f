"""`python -m repaudit` is the same as `repaudit`."""

from repaudit.cli import main

main()
