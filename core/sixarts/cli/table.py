"""The commands of ``sixarts``: name to the module that holds it and its line of help.

A table and not imports, so that ``sixarts --help`` loads none of them.
"""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("sixarts.cli.demo:demo", "Run every task on its own samples and write a page of the answers."),
    "tasks": ("sixarts.cli.listing:tasks", "List the tasks."),
    "models": ("sixarts.cli.listing:models", "List the models of the catalog."),
    "plugins": ("sixarts.cli.listing:plugins", "List the plugins and how they fared."),
    "devices": ("sixarts.cli.listing:devices", "List the devices of this machine."),
    "pull": ("sixarts.cli.fetching:pull", "Fetch a model into the cache."),
    "verify": ("sixarts.cli.fetching:verify", "Check files against their digests and the golden answer."),
    "cache": ("sixarts.cli.fetching:cache_app", "List, measure, check or remove what is cached."),
    "run": ("sixarts.cli.running:run_app", "Run a task on inputs, a file or standard input."),
    "explain": ("sixarts.cli.running:explain_app", "Show which part of an input made its answer."),
    "evaluate": ("sixarts.cli.running:evaluate_app", "Measure a model on examples with the task's metric."),
    "fit": ("sixarts.cli.training:fit_app", "Train a model on your examples; goes on where it stopped."),
    "push": ("sixarts.cli.fetching:push", "Publish a model folder on the hub."),
    "footprint": ("sixarts.cli.running:footprint_app", "Measure a model: parameters, FLOPs, time, energy."),
    "doctor": ("sixarts.cli.doctor:doctor", "Show versions, backend, devices, cache and plugin states."),
}
