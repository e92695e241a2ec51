"""`make attacks`: runs whole sets of attacks against the real service, and counts what it decided."""
