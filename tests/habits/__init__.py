"""What every test of the workspace can lean on: the promises it proves, and the real parts it proves them with."""
