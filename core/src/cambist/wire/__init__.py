"""The two published dialects, as functions from bytes to values and back. No HTTP server is known here."""
