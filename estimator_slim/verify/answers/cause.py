"""What an error of TensorFlow says is wrong, without where in Python or in the graph that was.

    Graph execution error:                                             → could not convert string: 5.0a

    Detected at node 'ToNumber' defined at (most recent call last):
    Node: 'ToNumber'
    could not convert string: 5.0a
             [[{{node ToNumber}}]]
"""

from __future__ import annotations

import re

_LENGTH = 600
_RESTORING = "Original error:"  # stands behind three lines about checkpoints, whatever went wrong
_PREFACE = re.compile(r"\s*(Graph execution error:|Detected at node.*?\nNode: [^\n]*)\s*", re.DOTALL)
_AFTERWARDS = re.compile(r"Original stack trace for|Errors may have originated|Input Source operations|"
                         r"Traceback \(most recent|Function call stack|Registered devices:|"
                         r"Stack trace for op definition")
_NODE = re.compile(r"\s*\[\[.*\]\]\s*")
_FUNCTION = re.compile(r"\{\{function_node \S*\}\}")


def cause_of(error: Exception) -> str:
    """The sentences of `error` that say what is wrong, in one line of at most 600 characters."""
    text = str(getattr(error, "message", None) or error).rpartition(_RESTORING)[2]
    while preface := _PREFACE.match(text):
        text = text[preface.end():]
    found = []
    for line in text.splitlines():
        if _AFTERWARDS.match(line.strip()):
            break
        if not _NODE.fullmatch(line):
            found.append(line)
    return " ".join(_FUNCTION.sub("", " ".join(found)).split())[:_LENGTH]
