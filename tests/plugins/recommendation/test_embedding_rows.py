"""A table through keras-rs is the table that it stands for: it learns, answers and is saved alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tables_reference as reference

import sixarts as sa
from everywhere import everywhere
from sixarts.errors import SixartsError

pytest.importorskip("keras_rs", reason="an extra; pip install 'sixarts[recommendation]'")

#: XLA is left out: see ``without_xla``.
MANY_NETWORKS = True

CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "deepfm": ("click-prediction", "deepfm", {"target": "click", "least": 1}),
    "item2vec": ("item-similarity", "item2vec", {}),
    "two_tower": ("item-similarity", "two_tower", {}),
    "sasrec": ("next-item-prediction", "sasrec", {"hold_out": 0.0}),
    "sasrec, drawn negatives": ("next-item-prediction", "sasrec", {"hold_out": 0.0, "negatives": 3}),
}


@pytest.mark.parametrize("name", list(CASES))
def test_distributed_tables_learn_and_answer_alike(name: str, backends: Any, tmp_path: Path) -> None:
    task, family, fit = CASES[name]
    for place, found in everywhere(backends, reference, "learned", task, family, fit, str(tmp_path)).items():
        assert any("answer" in what for what in found) and len(found) > 4
        for what, (plain, distributed) in found.items():
            np.testing.assert_allclose(plain, distributed, rtol=1e-5, atol=1e-6, err_msg=f"{place}, {what}")


def test_a_folder_is_read_either_way(tmp_path: Path) -> None:
    made = sa.new("item-similarity", family="item2vec", device="cpu", distributed=True)
    made.fit(reference.BASKETS, epochs=1, progress=False)
    folder = made.save(tmp_path / "made")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"distributed": False}))
    (folder / "sixarts.json").unlink()  # which holds the digest of the file as it was
    again = sa.load("item-similarity", folder, device="cpu")
    assert type(again.model.first).__name__ == "Rows" and type(made.model.first).__name__ == "DistributedRows"
    assert again("c").items == made("c").items
    np.testing.assert_allclose(again("c").scores, made("c").scores, rtol=1e-6)


def test_distributed_is_true_or_false() -> None:
    with pytest.raises(SixartsError, match="distributed='yes'; expected True or False"):
        sa.new("next-item-prediction", family="sasrec", distributed="yes")
