"""Clients that people already have, unmodified, against a served Cambist and an API behind `cambist.verify`."""
