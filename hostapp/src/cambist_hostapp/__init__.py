"""Cambist, ready to run: the command line, the servers and the settings to start from."""
