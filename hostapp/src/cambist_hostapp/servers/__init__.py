"""The servers that can speak HTTP for us, each over one socket."""
