"""Units that are mistaken for one another, and how a value in one becomes a value in the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Conversion(NamedTuple):
    """From a unit that people also use: ``value * factor + offset`` is in the unit that was asked for."""

    unit: str
    factor: float
    offset: float = 0.0


#: Unit to those that values come in by mistake. What depends on the substance names it.
MISTAKEN: dict[str, tuple[Conversion, ...]] = {
    "cm": (
        Conversion("m", 100),
        Conversion("mm", 0.1),
        Conversion("inches", 2.54),
        Conversion("feet", 30.48),
    ),
    "m": (Conversion("cm", 0.01), Conversion("inches", 0.0254), Conversion("feet", 0.3048)),
    "mm": (Conversion("cm", 10), Conversion("m", 1000), Conversion("µm", 0.001)),
    "kg": (Conversion("g", 0.001), Conversion("lb", 0.45359237)),
    "g": (Conversion("kg", 1000), Conversion("mg", 0.001)),
    "kg/m²": (Conversion("lb/in²", 703.07),),
    "°C": (Conversion("°F", 5 / 9, -160 / 9), Conversion("K", 1, -273.15)),
    "mmHg": (Conversion("kPa", 7.50062), Conversion("cmHg", 10)),
    "years": (Conversion("months", 1 / 12), Conversion("days", 1 / 365.25)),
    "beats/min": (Conversion("beats/s", 60),),
    "mg/dl": (
        Conversion("mmol/l of cholesterol", 38.67),
        Conversion("mmol/l of glucose", 18.016),
        Conversion("µmol/l of creatinine", 0.01131),
        Conversion("g/l", 100),
    ),
    "mmol/l": (
        Conversion("mg/dl of cholesterol", 1 / 38.67),
        Conversion("mg/dl of glucose", 1 / 18.016),
    ),
    "g/dl": (Conversion("g/l", 0.1), Conversion("mmol/l of hemoglobin", 1.611)),
    "g/l": (Conversion("g/dl", 10),),
    "%": (Conversion("a share of 1", 100),),
}


def likely_units(value: float, unit: str, low: float, high: float) -> Iterator[str]:
    """The units in which a value would lie within a range given in ``unit``, as people mistake them.

    >>> list(likely_units(1.8, "cm", 140, 210))
    ['m']
    """
    for conversion in MISTAKEN.get(unit, ()):
        if low <= value * conversion.factor + conversion.offset <= high:
            yield conversion.unit
