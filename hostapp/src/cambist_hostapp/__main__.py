"""`python -m cambist_hostapp`, which is `cambist`."""

from .cli import main

main(prog_name="cambist")
