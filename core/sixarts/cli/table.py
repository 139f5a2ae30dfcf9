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
    "cache": ("sixarts.cli.caching:cache_app", "List, measure, check, remove or prune what is cached."),
    "lock": ("sixarts.cli.locking:lock", "Write the commit and digests of every model that is used."),
    "sync": ("sixarts.cli.locking:sync", "Make this machine match a lock."),
    "run": ("sixarts.cli.running:run_app", "Run a task on inputs, a file or standard input."),
    "explain": ("sixarts.cli.running:explain_app", "Show which part of an input made its answer."),
    "evaluate": ("sixarts.cli.running:evaluate_app", "Measure a model on examples with the task's metric."),
    "fit": ("sixarts.cli.training:fit_app", "Train a model on your examples; goes on where it stopped."),
    "push": ("sixarts.cli.pushing:push", "Publish a model folder on the hub."),
    "sign": ("sixarts.cli.signing:sign", "Sign a model folder, for whoever trusts your key."),
    "card": ("sixarts.cli.carding:card_app", "Show, check or complete a model card."),
    "footprint": ("sixarts.cli.running:footprint_app", "Measure a model: parameters, FLOPs, time, energy."),
    "doctor": ("sixarts.cli.doctor:doctor", "Show versions, backend, devices, cache and plugin states."),
}
