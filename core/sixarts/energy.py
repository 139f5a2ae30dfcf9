"""Energy of a block of code, by codecarbon where it is installed."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Energy:
    """Joules of the block once it is over, and how they were measured."""

    total: float | None = None
    protocol: str = "energy not measured: pip install 'sixarts[eval]' adds codecarbon"


@contextlib.contextmanager
def joules() -> Iterator[Energy]:
    """Measures the block inside it; offline, and without writing a file."""
    energy = Energy()
    try:
        from codecarbon import OfflineEmissionsTracker
    except ImportError:
        yield energy
        return
    # Its own log_level comes too late for what it says while it starts.
    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    # The country only prices the carbon, which is not asked here.
    tracker = OfflineEmissionsTracker(
        country_iso_code="USA",
        measure_power_secs=1,
        save_to_file=False,
        log_level=logging.CRITICAL,
        allow_multiple_runs=True,
    )
    tracker.start()
    try:
        yield energy
    finally:
        tracker.stop()
        measured = getattr(tracker, "final_emissions_data", None)
        if measured is not None:
            energy.total = float(measured.energy_consumed) * 3.6e6
            energy.protocol = "energy of the machine's CPU, GPU and memory by codecarbon"
