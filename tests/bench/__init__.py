"""`make bench`: what an exchange costs, beside what cannot be avoided and beside a well-known server, all in one run."""
