"""What the refusal of a slim servable says: why it is not published, and what would let it pass."""

from __future__ import annotations

import math

from estimator_slim.report import Report, Verification

_SHOWN = 5  # failures in a message


def refusal(report: Report, found: Verification, *, lossless: bool, by_flags: bool) -> str:
    """Of one that does not answer as its original does.

    Args:
      report: of the optimization.
      found: what verification found.
      lossless: the transforms were to change no answer.
      by_flags: who reads this chose by flags and not in code.
    """
    shown = [f"\n  {failure}" for failure in found.failures[:_SHOWN]]
    more = len(found.failures) - len(shown)
    return (f"the slim servable of {report.source} is not published, because it does not answer as the "
            f"original does:{''.join(shown)}{f'{chr(10)}  and {more} more' if more else ''}\n"
            f"{_blameless(by_flags) if _is_blameless(report) else _advice(found, lossless, by_flags)}")


def unasked(report: Report, found: Verification, *, by_flags: bool) -> str:
    """Of one of which little could be asked, where that is required."""
    why = "".join(f"\n  {one}" for one in found.unverified) or f"\n  {found}"
    return (f"the slim servable of {report.source} is not published, because little of it could be "
            f"verified:{why}\nGive a verify_input_fn whose features the original answers, or a file of "
            f"tf.Examples ({_spelled('verify_examples', '...', by_flags)}), or publish it all the same "
            f"with {_spelled('verify', 'enforce', by_flags)}")


def enough(found: Verification) -> dict[str, float]:
    """Option → the value with which all outputs would pass, where options can do that; else nothing."""
    if not all(failure.allowing for failure in found.failures):
        return {}
    wanted = {option for failure in found.failures for option, _ in failure.allowing}
    values = {option: [value for failure in found.failures for name, value in failure.allowing
                       if name == option] for option in sorted(wanted)}
    chosen = {}
    if "max_error" in values:
        errors = [error for one in found.outputs for part in (one.examples, one.made_up) if part
                  for error in (part.error, part.farthest) if error is not None]
        chosen["max_error"] = max(found.max_error or 0.0, _rounded_up(max(values["max_error"] + errors)))
    if "min_agreement" in values:
        agreements = [one.clear_agreement for one in found.outputs if one.clear_agreement is not None]
        least = min(values["min_agreement"] + agreements)
        chosen["min_agreement"] = math.floor(least * 1000) / 1000
    return chosen if chosen.get("max_error", 0.0) <= 1 else {}


def _advice(found: Verification, lossless: bool, by_flags: bool) -> str:
    compared = {(output.signature, output.output) for output in found.outputs}
    if any((failure.signature, failure.output) not in compared for failure in found.failures):
        return "Leave out the transform that was added last, and report it"
    first = ("No transform of the list is lossy: leave out the one that was added last, and report it"
             if lossless else "Leave out what is lossy")
    options = " and ".join(_spelled(option, f"{value:g}", by_flags)
                           for option, value in enough(found).items())
    allow = f", allow so much with {options}" if options else ""
    return (f"{first}{allow}, or publish it all the same with "
            f"{_spelled('verify', 'report', by_flags)}")


def _is_blameless(report: Report) -> bool:
    """True where a list was tried in vain, and then no transform at all."""
    return len(report.tried) > 1 and not report.tried[-1].transforms


def _blameless(by_flags: bool) -> str:
    return ("So it answers without any transform: no transform is to blame. TensorFlow answers "
            "otherwise once variables are constants, or the original does in another place. Publish it "
            f"all the same with {_spelled('verify', 'report', by_flags)}, if that is right for you, and "
            "report it")


def _spelled(option: str, value: str, by_flags: bool) -> str:
    """`--slim_verify=report`, or `verify='report'`."""
    if by_flags:
        return f"--slim_{option}={value}"
    return f"{option}={value}" if value == "..." or value[0].isdigit() else f"{option}={value!r}"


def _rounded_up(value: float) -> float:
    """To two digits that count."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / unit) * unit:.2g}")
