"""The command makes pages of records that lie there, without TensorFlow."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from estimator_slim import Report, load_report
from estimator_slim.cli import exit_codes, main
from estimator_slim.report import to_json
from tests.report.document_test import DOCUMENTS
from tests.support.processes import run_python


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    """With records of two exporters, one of which has two versions, and what is no record."""
    report = load_report(DOCUMENTS / "published.json")
    for exporter, version in (("best", 7), ("best", 8), ("a #1?", 7)):
        write(tmp_path / f"model/export/{exporter}-slim-report/{version}.json", dataclasses.replace(
            report, destination=f"{tmp_path}/model/export/{exporter}-slim/{version}"))
    (tmp_path / "model/export/best-slim-report/notes.json").write_text("{}")
    return tmp_path / "model"


def write(path: Path, report: Report) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_json(report), encoding="utf-8")


def test_the_page_of_a_record_lies_beside_it_or_where_it_is_told(model_dir: Path, capsys: Any) -> None:
    record = model_dir / "export/best-slim-report/7.json"
    assert main(["report", str(record)]) == exit_codes.DONE
    assert main(["report", str(record), str(model_dir / "other/page.html")]) == exit_codes.DONE
    pages = [record.with_suffix(".html"), model_dir / "other/page.html"]
    assert capsys.readouterr().out.splitlines() == [str(page) for page in pages]
    assert all("1,024.6 MB → 260.5 MB" in page.read_text(encoding="utf-8") for page in pages)


@pytest.mark.parametrize("given", ["", "export", "export/best-slim-report"])
def test_the_page_of_a_model_tells_of_all_its_versions_and_leads_to_their_pages(
        model_dir: Path, given: str, capsys: Any) -> None:
    assert main(["report", str(model_dir / given)]) == exit_codes.DONE
    page = model_dir / given / "slim-report.html"
    told = capsys.readouterr()
    assert told.out.strip() == str(page)
    assert "passed over: " in told.err and "notes.json: a damaged record" in told.err
    links = re.findall(r'<a href="(.*?)">(\d)</a>', page.read_text(encoding="utf-8"))
    assert [version for _, version in links] == (["8", "7"] if given.endswith("report") else
                                                ["7", "8", "7"])
    for link, _ in links:
        target = page.parent / link.replace("%20", " ").replace("%23", "#").replace("%3F", "?")
        assert target.is_file(), link


def test_a_model_whose_originals_are_replaced_has_its_page_too(model_dir: Path) -> None:
    (model_dir / "export").rename(model_dir / "export-original")
    assert main(["report", str(model_dir)]) == exit_codes.DONE
    page = (model_dir / "slim-report.html").read_text(encoding="utf-8")
    assert re.findall(r'<a href="export-original/.*?">(\d)</a>', page) == ["7", "8", "7"]


def test_the_summary_of_many_is_not_called_a_damaged_record(model_dir: Path, capsys: Any) -> None:
    (model_dir / "export/summary.json").write_text("{}", encoding="utf-8")
    assert main(["report", str(model_dir / "export")]) == exit_codes.DONE
    assert "summary.json" not in capsys.readouterr().err


@pytest.mark.parametrize("given, said", [
    ("nothing.json", "nothing.json: .*No such file"),
    ("empty", "empty: expected records.*there is none")])
def test_where_there_is_no_record_a_sentence_says_what_was_expected(
        tmp_path: Path, given: str, said: str, capsys: Any) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["report", str(tmp_path / given)]) == exit_codes.FAILED
    assert re.search(said, capsys.readouterr().err)


def test_where_the_page_cannot_be_written_a_sentence_says_so(model_dir: Path, capsys: Any) -> None:
    record = model_dir / "export/best-slim-report/7.json"
    assert main(["report", str(record), str(record / "page.html")]) == exit_codes.FAILED
    assert "the page cannot be written" in capsys.readouterr().err


def test_no_tensorflow_is_loaded(model_dir: Path, cold: None) -> None:
    program = (f"import sys; from estimator_slim.cli import main; main(['report', {str(model_dir)!r}]); "
               "assert 'tensorflow' not in sys.modules")
    done = run_python("-c", program)
    assert done.returncode == 0, done.stderr
