"""The mistakes that people make most when they set up an exchange, and what they are answered."""
