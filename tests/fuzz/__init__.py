"""`make fuzz`: good requests with a few things changed, whatever comes of it must be an answer of ours."""
