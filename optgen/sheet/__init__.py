"""What follows from a rule: units, invariances, special cases, limits, bounds, stability.

`property_sheet` derives the properties of one rule and proves each of them;
what cannot be derived says so.
"""

from __future__ import annotations

from optgen.sheet.sheet import Sheet, property_sheet

__all__ = ["Sheet", "property_sheet"]
