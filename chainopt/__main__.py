"""``python -m chainopt``."""

from chainopt.cli import main

main()
