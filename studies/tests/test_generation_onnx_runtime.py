"""Networks in numpy against ONNX Runtime: both compute the same, and the table says how fast."""

from __future__ import annotations

import pytest

from studies.generation import onnx_runtime


def test_both_compute_the_same(capsys):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    onnx_runtime.main(["--only", "CaloDREAM", "--batches", "2", "--repeats", "1"])
    (row,) = capsys.readouterr().out.splitlines()[2:]
    cells = [cell.strip() for cell in row.split("|")]
    assert cells[1:3] == ["CaloDREAM, attention", "2"]
    assert float(cells[5]) > 0
    assert 0 < float(cells[6]) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", onnx_runtime.NETWORKS)
def test_every_network_is_the_same_in_both(name):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    found = onnx_runtime.compare(onnx_runtime.NETWORKS[name](), 2, 1)
    assert found.largest < 1e-4
