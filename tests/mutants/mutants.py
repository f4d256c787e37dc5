"""The list of mutants: one line each that matters, changed as a person might get it wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One line, right and wrong.

    Attributes:
      name: what goes wrong.
      file: in the package.
      right: a text that is in the file once.
      wrong: what stands there instead.
      tests: where a test is that finds it, among those of the README's command.
    """

    name: str
    file: str
    right: str
    wrong: str
    tests: str


MUTANTS = (
    Mutant("a scale is off by one step", "quantization/fit.py",
           "_scale(span, last - first, low", "_scale(span, last - first + 1, low",
           "tests/quantization"),
    Mutant("the two codes of a byte change places", "transforms/weights/_decoding.py",
           "[low, high, graph.add_constant", "[high, low, graph.add_constant",
           "tests/transforms/weights"),
    Mutant("a transposed kernel is scaled along its other axis", "transforms/normalisations/_layers.py",
           "input_axis, output_axes = 1, (0,)", "input_axis, output_axes = 0, (1,)",
           "tests/transforms/normalisations"),
    Mutant("rows read the scale of a block of another size", "transforms/weights/_decoding.py",
           "np.array(per_block.bit_length() - 1,", "np.array(per_block.bit_length(),",
           "tests/transforms/weights"),
    Mutant("a checksum is skipped", "checkpoint/data_file.py",
           "if whole and masked_crc(crc) != piece.crc:", "if whole and crc is None:",
           "tests/checkpoint tests/freezing"),
    Mutant("a version is renamed before it is flushed", "saved_model/publish.py",
           "            _flush(temporary)\n            if replacing:\n"
           "                withdraw(directory)\n"
           "            _refuse_existing(directory)\n            _move(temporary, directory)\n",
           "            if replacing:\n                withdraw(directory)\n"
           "            _refuse_existing(directory)\n            _move(temporary, directory)\n"
           "            _flush(directory)\n",
           "tests/saved_model"),
    Mutant("in a store what loaders look for comes before the rest", "saved_model/store.py",
           "key=lambda file: (file == READ_FIRST,", "key=lambda file: (file != READ_FIRST,",
           "tests/faults/store_test.py"),
    Mutant("an unfinished version is not locked", "saved_model/temporary.py",
           "            stack.enter_context(_patiently_locked(folder))\n", "",
           "tests/saved_model/temporary_test.py"),
    Mutant("an unfinished version is named as a server's versions are", "saved_model/temporary.py",
           'f"temp-{name}-{_machine()}{uuid.uuid4().hex[:8]}"', 'f"{uuid.uuid4().int}"',
           "tests/saved_model"),
    Mutant("warm-up requests are not copied", "saved_model/files.py",
           'FOLDERS = ("assets", "assets.extra")', 'FOLDERS = ("assets",)',
           "tests/optimize_test.py"),
    Mutant("a link out of the servable is followed", "saved_model/files.py",
           "os.path.commonpath([root, target]) == root", "os.path.commonpath([root, target])",
           "tests/hostile/folder_test.py"),
    Mutant("a signature is lost", "saved_model/writer.py",
           "for key, signature in graph.interface.signatures.items():",
           "for key, signature in list(graph.interface.signatures.items())[:1]:",
           "tests/optimize_test.py"),
    Mutant("a control edge is dropped", "freezing/control_edges.py",
           "if name[1:] not in acting and _is_harmless", "if _is_harmless",
           "tests/graph tests/freezing"),
    Mutant("the twin of an original that is gone stays", "exporter/collection.py",
           "            withdraw(path)\n", "            pass\n",
           "tests/exporter/failure_test.py"),
    Mutant("what is no slim servable is removed", "exporter/collection.py",
           "        if is_marked(path) or is_copy(path):", "        if path:",
           "tests/exporter/failure_test.py"),
    Mutant("an error of ours ends the training", "exporter/slimming.py",
           'if self.chosen("on_error") == RAISE:\n                raise',
           'if self.chosen("on_error") != RAISE:\n                raise',
           "tests/exporter/failure_test.py"),
    Mutant("a weight of just the least size is left alone", "transforms/weights/quantize_weights.py",
           "if weight.value_count < max(1, self.minimum_size):",
           "if weight.value_count <= max(1, self.minimum_size):",
           "tests/transforms/weights"),
    Mutant("ten times the error is allowed", "transforms/bounds.py",
           "LOSSLESS = Bounds(max_error=1e-4, min_agreement=1.0, snr=80.0, row_snr=60.0)",
           "LOSSLESS = Bounds(max_error=1e-3, min_agreement=1.0, snr=60.0, row_snr=40.0)",
           "tests/verify/comparison"),
    Mutant("what answers otherwise is published", "verify/gate.py",
           'if not found.passed and mode != "report":', 'if not found and mode != "report":',
           "tests/verify/gate_test.py"),
    Mutant("a number may become NaN", "verify/comparison/floats.py",
           "wrong = ~same & ~(np.isfinite(want) & np.isfinite(got))",
           "wrong = ~same & ~np.isfinite(want) & np.isfinite(got)",
           "tests/verify/comparison"),
)
