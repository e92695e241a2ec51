"""The endpoints, served by Quart."""
