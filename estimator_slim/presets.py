"""Presets: ladders of lists of transforms, from the one that saves most to the one that changes nothing.

    balanced   the default list
    smallest   rows that training never touched go, then directions that count little, then eight bits
    auto       the same lists, each judged by the examples that a person gives
    lossless   nothing that changes an answer

The first list that verification passes is published; see ladder.py for what comes below the last.
"""

from __future__ import annotations

LOSSLESS, BALANCED, SMALLEST, AUTO = "lossless", "balanced", "smallest", "auto"

_FIRST = ("strip_unused_nodes remove_nodes(op=Identity) fold_constants fold_batch_norms "
          "simplify_lookups merge_duplicate_nodes merge_identical_rows")
_LAST = "sort_by_execution_order"

DEFAULT = f"{_FIRST} quantize_weights {_LAST}"

_SMALLEST = (f"{_FIRST} drop_untrained_rows reduce_rank(energy=0.996) quantize_weights {_LAST}",
             f"{_FIRST} drop_untrained_rows reduce_rank quantize_weights {_LAST}",
             f"{_FIRST} drop_untrained_rows quantize_weights {_LAST}",
             f"{_FIRST} reduce_rank quantize_weights {_LAST}",
             DEFAULT)

PRESETS: dict[str, tuple[str, ...]] = {
    LOSSLESS: (f"{_FIRST} {_LAST}",),
    BALANCED: (DEFAULT,),
    SMALLEST: _SMALLEST,
    AUTO: _SMALLEST,
}

MOST_LOST = 0.001  # of the accuracy, where labels are known, by auto


def with_bits(bits: int) -> str:
    """The default list with other bits.

        >>> with_bits(4).split()[-2:]
        ['quantize_weights(bits=4)', 'sort_by_execution_order']
    """
    return DEFAULT.replace("quantize_weights", f"quantize_weights(bits={bits})")
