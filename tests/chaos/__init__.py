"""`make chaos`: what a service promised while it was killed, starved and lied to, and whether it kept it."""
