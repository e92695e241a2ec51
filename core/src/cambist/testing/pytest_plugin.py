"""What pytest loads by itself where this distribution is installed: the contracts' asserts then show what they compared."""

from __future__ import annotations

import pytest

# pytest sees to that itself for what a wheel lists, but an editable distribution lists none of its modules.
pytest.register_assert_rewrite("cambist.testing.contracts")
