"""Python modules that make further operations known to TensorFlow when they are imported.

A servable that has operations of TensorFlow Text can be read only where `tensorflow_text` is imported,
in this process and in the one that asks servables.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence

from estimator_slim.errors import OptionError

_imported: dict[str, None] = {}  # in order


def is_there(name: str) -> bool:
    """True if there is a module `name`; imports none but those it stands in."""
    try:
        return all(name.split(".")) and importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def import_libraries(names: Sequence[str]) -> None:
    """Imports the modules `names`, in order. Raises OptionError where one fails."""
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as e:  # what a foreign module does when it is imported
            raise OptionError(f"imports: the module {name!r} cannot be imported ({type(e).__name__}: "
                              f"{e}); see whether it is of the version that this TensorFlow needs, or "
                              "leave it out of --slim_imports") from e
        _imported[name] = None


def imported_libraries() -> tuple[str, ...]:
    """What `import_libraries` imported since this process began, for another process to import."""
    return tuple(_imported)
