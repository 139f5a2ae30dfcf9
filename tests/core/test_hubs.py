"""Where references lead: the default hub with its starters, and hubs of plugins by scheme."""

from __future__ import annotations

import types
from pathlib import Path

import pytest

from sixarts import ModelEntry, hookimpl, hubs
from sixarts.errors import NotFound
from sixarts.plugins import Registry
from sixarts_hub.client import Hub

pytestmark = pytest.mark.quick


class AcmeHub:
    """A stranger's hub."""


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("acme_models")
    module.API_VERSION = "1"  # type: ignore[attr-defined]

    @hookimpl
    def sixarts_hubs() -> dict[str, str]:
        return {"acme": f"{__name__}:AcmeHub"}

    @hookimpl
    def sixarts_models() -> list[ModelEntry]:
        return [
            ModelEntry("starter/gone", "shouting", "shouter", "MIT", folder="sixarts_translation:not/there")
        ]

    module.sixarts_hubs = sixarts_hubs  # type: ignore[attr-defined]
    module.sixarts_models = sixarts_models  # type: ignore[attr-defined]
    monkeypatch.setattr(hubs, "registry", lambda: Registry.from_modules({"acme": module}))


@pytest.mark.usefixtures("registered")
def test_a_plugins_scheme_leads_to_its_hub() -> None:
    assert type(hubs.hub_for("acme://team/model")).__name__ == "AcmeHub"


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("reference", ["hf://team/model", "team/model", "./folder", "starter/gone"])
def test_everything_else_leads_to_the_default_hub(reference: str) -> None:
    assert isinstance(hubs.hub_for(reference), Hub)


@pytest.mark.usefixtures("registered")
def test_offline_is_handed_on() -> None:
    assert hubs.default_hub(offline=True).offline


@pytest.mark.usefixtures("registered")
def test_a_starter_that_is_not_installed_is_named() -> None:
    with pytest.raises(Exception, match="gone"):
        hubs.default_hub().pull("starter/gone")
    with pytest.raises(NotFound, match="nowhere"):
        hubs._starter("nowhere")


def test_every_starter_of_the_registry_is_known(tmp_path: Path) -> None:
    pulled = hubs.default_hub(offline=True).pull("starter/en-zh")
    assert (pulled.path / "config.json").is_file() and pulled.commit is None
