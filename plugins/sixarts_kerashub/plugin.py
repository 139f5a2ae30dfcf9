"""What the KerasHub bridge registers; imports nothing heavy."""

from __future__ import annotations

from sixarts import hookimpl
from sixarts.spec import FamilySpec
from sixarts_kerashub.table import BRIDGES

API_VERSION = "1"


@hookimpl
def sixarts_families() -> list[FamilySpec]:
    return [
        FamilySpec(
            name=bridge.family,
            signature=bridge.signature,
            model=bridge.model,
            registered_names=bridge.registered_names,
            files=(*bridge.files, *list(bridge.weights)[1:]),
            weights=tuple(bridge.weights)[:1],
            extra="kerashub",
            requires=("keras_hub",),
        )
        for bridge in BRIDGES
    ]
