"""Records of several EHRs as one list: pure, and nothing is ever dropped."""

from portal.combining.combine import combine
from portal.combining.items import Item, Origin, Shown, parts

__all__ = ["Item", "Origin", "Shown", "combine", "parts"]
