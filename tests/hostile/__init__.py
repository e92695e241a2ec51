"""Plugins that are broken, or mean harm: each stand-in is one sentence, and the service outlives all of them."""
