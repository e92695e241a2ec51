"""What must hold whatever is asked: each promise a property, its sentence the test's name."""
