"""`make mutation`: changes one thing of what judges, and asks whether a test notices."""
