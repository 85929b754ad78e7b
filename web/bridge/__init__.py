"""What the page asks Python for: parse, assemble, list, explain, translate, compare.

In: the name of a method and plain values. Out: plain values, or an error as a value. It needs `pvm` and the standard
library alone, so that it runs in Pyodide; who calls it turns values over (`pvm_web.bridge.values`).
"""

from pvm_web.bridge.dispatch import Bridge
from pvm_web.bridge.values import Big

__all__ = ["Big", "Bridge"]
