"""What a clinician asks of a model, with bootstrap intervals, of all cases and of groups of them.

Every figure comes from scikit-learn; the decision curve is that of Vickers and Elkin 2006, which is a few
lines over counts. Cases are drawn with replacement (Efron 1979), the same draws for every figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from sixarts.errors import InputError, MissingExtra
from sixarts.result import Metric, Metrics, Result

#: Samples drawn for an interval.
DRAWS = 400
#: Fewest cases of a group that is told of: of fewer, figures say little, and may say too much of one of them.
GROUP = 10
#: Specificity at which sensitivity is told.
SPECIFICITY = 0.9
SENSITIVITY = f"sensitivity at {SPECIFICITY:.0%} specificity"
#: Thresholds of the decision curve.
THRESHOLDS = np.arange(0.05, 0.96, 0.05)
#: Groups of like predicted probability that the calibration curve is made of.
BINS = 8


@dataclass(frozen=True)
class Case:
    """What is known of a case that is judged: its right label, and the groups that it is of.

    Attributes:
        label: the right one.
        groups: kind of group to the group, e.g. ``{"sex": "female", "age band": "50 to 59"}``.
    """

    label: str
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Curve(Result):
    """A line with its interval.

    Attributes:
        x, y, low, high: its points.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class ClinicalMetrics(Metrics):
    """What was measured of a model that names a disease.

    Attributes:
        disease: the label that probabilities are of; ``""`` where there are several, and no curves.
        calibration: predicted probability to the share of cases that have the disease.
        decision: threshold to net benefit (Vickers and Elkin 2006).
        treat_all: the same where everybody is treated.
        groups: kind of group to each group's number of cases.
    """

    disease: str = ""
    calibration: Curve | None = None
    decision: Curve | None = None
    treat_all: Curve | None = None
    groups: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def plot(self) -> Any:
        """Figures with their intervals, the calibration curve and the decision curve side by side."""
        if self.calibration is None or self.decision is None or self.treat_all is None:
            return super().plot()
        from matplotlib.figure import Figure

        height = max(3.8, 1.0 + 0.34 * len(self.values))
        figure = Figure(figsize=(13, height), layout="constrained")
        figures, calibration, decision = figure.subplots(1, 3, width_ratios=(1.5, 1, 1.1))
        self._draw_figures(figures)
        self._draw_calibration(calibration)
        self._draw_decision(decision)
        return figure

    def _draw_figures(self, axes: Any) -> None:
        for place, metric in enumerate(self.values.values()):
            spread = [[metric.value - metric.low], [metric.high - metric.value]]
            axes.errorbar(metric.value, place, xerr=spread, fmt="o", capsize=3, color="#1d4ed8", ms=4)
            axes.annotate(f"{metric.value:.3f}", (metric.value, place), (0, 4), textcoords="offset points")
        axes.set_yticks(range(len(self.values)), list(self.values), fontsize=8)
        axes.set(ylim=(len(self.values) - 0.4, -0.8), title=f"{self.count} cases, 95 % intervals")
        axes.grid(axis="x", color="0.92")
        axes.spines[["top", "right", "left"]].set_visible(False)

    def _draw_calibration(self, axes: Any) -> None:
        curve = self.calibration
        assert curve is not None
        spread = [np.subtract(curve.y, curve.low), np.subtract(curve.high, curve.y)]
        axes.plot((0, 1), (0, 1), color="0.7", linewidth=1, label="as it should be")
        axes.errorbar(curve.x, curve.y, yerr=spread, fmt="o-", capsize=3, color="#1d4ed8", ms=4)
        axes.set(xlabel=f"predicted probability of {self.disease}", ylabel=f"share with {self.disease}")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), title="calibration", aspect="equal")
        axes.spines[["top", "right"]].set_visible(False)

    def _draw_decision(self, axes: Any) -> None:
        curve, everybody = self.decision, self.treat_all
        assert curve is not None and everybody is not None
        axes.fill_between(curve.x, curve.low, curve.high, color="#bfdbfe")
        axes.plot(curve.x, curve.y, color="#1d4ed8", label="by the model")
        axes.plot(everybody.x, everybody.y, color="#b45309", linestyle="--", label="everybody")
        axes.axhline(0, color="0.5", linewidth=1, label="nobody")
        axes.set(xlabel="threshold probability for treating", ylabel="net benefit, per case")
        axes.set(title="decision curve", ylim=(min(-0.05, min(curve.low)), max(0.1, max(curve.high) * 1.15)))
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8, title="treated", title_fontsize=8)


@dataclass(frozen=True)
class _Cases:
    """Judged cases: probabilities ``[n, labels]``, the right labels' numbers, and the members of sets."""

    chances: np.ndarray
    classes: np.ndarray
    sets: np.ndarray
    abstained: np.ndarray
    disease: int | None

    def __len__(self) -> int:
        return len(self.classes)

    def of(self, rows: np.ndarray) -> Self:
        return type(self)(
            self.chances[rows], self.classes[rows], self.sets[rows], self.abstained[rows], self.disease
        )

    @property
    def positive(self) -> np.ndarray:
        return np.asarray(self.classes == self.disease)

    @property
    def chance(self) -> np.ndarray:
        assert self.disease is not None
        return np.asarray(self.chances[:, self.disease])


def measured(results: Sequence[Any], targets: Sequence[Any], draws: int = DRAWS) -> ClinicalMetrics:
    """Judges answers.

    Args:
        results: :class:`~sixarts_diagnosis.diagnosis.Diagnosis`, one a case.
        targets: the right label of each, or a :class:`Case` that names its groups, too.
        draws: samples drawn for intervals.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    known = [target if isinstance(target, Case) else Case(target) for target in targets]
    cases = _cases(results, known)
    figures = _figures(cases)
    drawn = _draws(len(cases), draws)
    values, lacks = _intervals(cases, figures, drawn)
    sizes: dict[str, dict[str, int]] = {}
    for kind in dict.fromkeys(kind for case in known for kind in case.groups):
        names = np.array([case.groups.get(kind, "") for case in known], object)
        values |= _of_groups(cases, kind, names, sizes, draws)
    protocol = (
        f"scikit-learn's metrics; {draws} bootstrap samples of cases, 95 % percentile intervals; abstained "
        "cases are judged by the label that they got"
    )
    if lacks:
        protocol += f"; not measured, since the cases are of one label: {', '.join(lacks)}"
    whole: dict[str, Any] = {}
    if cases.disease is not None and 0 < cases.positive.sum() < len(cases):
        whole = _curves(cases, drawn)
    disease = results[0].disease
    return ClinicalMetrics(values, protocol, len(cases), disease=disease, groups=sizes, **whole)


def _cases(results: Sequence[Any], known: Sequence[Case]) -> _Cases:
    labels = sorted(results[0].probabilities)
    if {case.label for case in known} - set(labels):
        raise InputError(f"a label that the model does not know; expected one of {', '.join(labels)}")
    number = {label: place for place, label in enumerate(labels)}
    disease = results[0].disease
    return _Cases(
        np.array([[result.probabilities[label] for label in labels] for result in results]),
        np.array([number[case.label] for case in known]),
        np.array([[label in result.prediction_set for label in labels] for result in results]),
        np.array([result.abstained for result in results]),
        number[disease] if disease else None,
    )


Figure = Callable[[_Cases], float]


def _figures(cases: _Cases) -> dict[str, Figure]:
    """Name to a figure of some cases; NaN where their labels do not tell it."""
    found: dict[str, Figure] = {"auc": _auc}
    if cases.disease is not None:
        found[SENSITIVITY] = _sensitivity
    found |= {"accuracy": _accuracy, "brier": _brier}
    if cases.disease is not None:
        found["calibration error"] = _calibration_error
    if cases.sets.any():
        found |= {
            "coverage": lambda c: float(c.sets[np.arange(len(c)), c.classes].mean()),
            "set size": lambda c: float(c.sets.sum(axis=1).mean()),
        }
    found["abstained"] = lambda c: float(c.abstained.mean())
    return found


def _auc(cases: _Cases) -> float:
    """Area under the ROC curve; of several labels the mean over each against the others."""
    metrics = _scikit_learn()
    present = np.unique(cases.classes)
    if len(present) < 2 or (cases.disease is None and len(present) < cases.chances.shape[1]):
        return float("nan")
    if cases.disease is not None:
        return float(metrics.roc_auc_score(cases.positive, cases.chance))
    return float(metrics.roc_auc_score(cases.classes, cases.chances, multi_class="ovr"))


def _sensitivity(cases: _Cases) -> float:
    """The highest sensitivity at which specificity is :data:`SPECIFICITY` at least."""
    if not 0 < cases.positive.sum() < len(cases):
        return float("nan")
    false, true, _ = _scikit_learn().roc_curve(cases.positive, cases.chance)
    return float(true[false <= 1 - SPECIFICITY + 1e-12].max())


def _accuracy(cases: _Cases) -> float:
    return float(_scikit_learn().accuracy_score(cases.classes, cases.chances.argmax(axis=1)))


def _brier(cases: _Cases) -> float:
    """Of the disease's probability; of several labels the sum over them (Brier 1950)."""
    if cases.disease is not None:
        return float(_scikit_learn().brier_score_loss(cases.positive, cases.chance, pos_label=True))
    right = np.eye(cases.chances.shape[1])[cases.classes]
    return float(((cases.chances - right) ** 2).sum(axis=1).mean())


def _calibration_error(cases: _Cases) -> float:
    """How far predicted and found shares lie apart, the mean over :data:`BINS` groups of like size."""
    order = np.argsort(cases.chance, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    gaps = [abs(float(cases.chance[part].mean() - cases.positive[part].mean())) for part in parts]
    return float(np.average(gaps, weights=[len(part) for part in parts]))


def _draws(count: int, draws: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, count, count) for _ in range(draws)]


def _intervals(
    cases: _Cases, figures: Mapping[str, Figure], drawn: Sequence[np.ndarray]
) -> tuple[dict[str, Metric], list[str]]:
    """Each figure with its interval, and the names of those that these cases do not tell."""
    found, lacks = {}, []
    parts = [cases.of(rows) for rows in drawn]
    for name, figure in figures.items():
        value = figure(cases)
        if np.isnan(value):
            lacks.append(name)
        else:
            found[name] = _interval(value, [figure(part) for part in parts])
    return found, lacks


def _interval(value: float, drawn: Sequence[float]) -> Metric:
    known = np.array(drawn)[~np.isnan(drawn)]
    low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (value, value)
    # The figures of small samples lean: the interval is widened to hold the figure itself.
    return Metric(value, min(float(low), value), max(float(high), value))


def _of_groups(
    cases: _Cases, kind: str, names: np.ndarray, sizes: dict[str, dict[str, int]], draws: int
) -> dict[str, Metric]:
    """AUC, sensitivity and Brier score of each group of a kind, and the widest gap between two groups."""
    groups = [name for name in sorted(set(names.tolist())) if name and int((names == name).sum()) >= GROUP]
    sizes[kind] = {name: int((names == name).sum()) for name in groups}
    wanted = [name for name in ("auc", SENSITIVITY, "brier") if name in _figures(cases)]
    found: dict[str, Metric] = {}
    for figure_name in wanted:
        figure = _figures(cases)[figure_name]
        told: dict[str, tuple[float, np.ndarray]] = {}
        for name in groups:
            part = cases.of(names == name)
            if np.isnan(value := figure(part)):
                continue
            drawn = np.array([figure(part.of(rows)) for rows in _draws(len(part), draws)])
            told[name] = value, drawn
            found[f"{figure_name}, {kind} {name}"] = _interval(value, drawn)
        if len(told) > 1:
            value = max(v for v, _ in told.values()) - min(v for v, _ in told.values())
            drawn = np.stack([each for _, each in told.values()])
            whole = drawn[:, ~np.isnan(drawn).any(axis=0)]
            found[f"{figure_name} gap, {kind}"] = _interval(
                value, np.ptp(whole, axis=0) if whole.size else []
            )
    return found


# Curves.


def net_benefit(positive: np.ndarray, chance: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """What treating those at or above each threshold is worth, in true positives a case.

    Source: Vickers and Elkin 2006, ``TP / n - FP / n * p / (1 - p)``.

    Args:
        positive: who has the disease ``[n]``.
        chance: its predicted probability ``[n]``.
        thresholds: ``[t]``, each more than 0 and less than 1.

    >>> found = net_benefit(np.array([True, False]), np.array([0.9, 0.6]), np.array([0.5, 0.8]))
    >>> found.round(3).tolist()
    [0.0, 0.5]
    """
    treated = chance[None] >= thresholds[:, None]
    true = (treated & positive).mean(axis=1)
    false = (treated & ~positive).mean(axis=1)
    return np.asarray(true - false * thresholds / (1 - thresholds))


def _curves(cases: _Cases, drawn: Sequence[np.ndarray]) -> dict[str, Curve]:
    everybody = np.ones(len(cases))
    benefit = net_benefit(cases.positive, cases.chance, THRESHOLDS)
    samples = [net_benefit(cases.positive[rows], cases.chance[rows], THRESHOLDS) for rows in drawn]
    all_of_them = net_benefit(cases.positive, everybody, THRESHOLDS)
    all_drawn = [net_benefit(cases.positive[rows], everybody, THRESHOLDS) for rows in drawn]
    return {
        "calibration": _calibration_curve(cases, drawn),
        "decision": _curve(THRESHOLDS, benefit, samples),
        "treat_all": _curve(THRESHOLDS, all_of_them, all_drawn),
    }


def _calibration_curve(cases: _Cases, drawn: Sequence[np.ndarray]) -> Curve:
    """Of groups of like predicted probability: the mean of it, and the share that has the disease."""
    from sklearn.calibration import calibration_curve

    bins = min(BINS, max(2, len(cases) // 5))
    share, mean = calibration_curve(cases.positive, cases.chance, n_bins=bins, strategy="quantile")
    edges = np.quantile(cases.chance, np.linspace(0, 1, bins + 1))
    which = np.searchsorted(edges[1:-1], cases.chance)
    there = [place for place in range(bins) if (which == place).any()]
    samples = []
    for rows in drawn:
        with np.errstate(invalid="ignore"):
            own = [cases.positive[rows][which[rows] == place] for place in there]
            samples.append([float(each.mean()) if len(each) else np.nan for each in own])
    return _curve(mean, share, samples)


def _curve(x: np.ndarray, y: np.ndarray, drawn: Sequence[Any]) -> Curve:
    low, high = np.nanquantile(np.array(drawn, "float64"), (0.025, 0.975), axis=0)
    return Curve(*(tuple(map(float, each)) for each in (x, y, np.minimum(low, y), np.maximum(high, y))))


def _scikit_learn() -> Any:
    try:
        from sklearn import metrics
    except ImportError:
        raise MissingExtra("clinical metrics need scikit-learn; pip install 'sixarts[eval]'") from None
    return metrics
