"""The documentation site: ``make docs`` writes build/site/html.

The pages of docs/ are the source, as they are; ``stage`` copies them beside what is made here: the
README as the first page, the reference of the Python modules, the files that pages link to, and
timing diagrams of a simulated core.
"""

from .build import main

__all__ = ["main"]
