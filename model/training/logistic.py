"""Trains a linear head on features: logistic regression, by label (sigmoid) or over labels (softmax)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from model.arrays import ACTIVATIONS, Floats
from model.engines.head import Calibration, LinearHead
from model.errors import TrainingError
from model.training.data.labelsets import ACTIVATION, Kind

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
_TINY = 1e-12
_FLOOR = 0.25  # of the median deviation
_TEMPERATURES: Final = np.exp(np.linspace(np.log(0.25), np.log(4.0), 400))


@dataclass(frozen=True, slots=True)
class HeadRecipe:
    """Hyperparameters: Adam (Kingma & Ba 2015) with decoupled weight decay, the rate halved at each bad epoch.

    patience: epochs without a better validation loss after which training stops. balance: 0 counts every example the
    same, 1 every label; between, by that power of its rarity.
    """

    epochs: int = 60
    batch: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    patience: int = 6
    balance: float = 0.0
    seed: int = 20261122


@dataclass(frozen=True, slots=True)
class Split:
    """Features [rows, hidden], indicator matrix [rows, labels] and weights [rows] with mean 1."""

    features: Floats
    truth: Floats
    weights: Floats


def fit_head(
    kind: Kind, training: Split, validation: Split, recipe: HeadRecipe, on_epoch: Callable[[int, int, float], None]
) -> LinearHead:
    """The head of the epoch with the least validation loss (nats an example, weighted).

    Features are standardised for training; the head that comes back reads them as they are. `on_epoch` hears (epoch,
    epochs at most, validation loss).
    """
    mean, deviation = training.features.mean(0), _deviation(training.features)
    run = _Run(kind, _standardised(training, mean, deviation), recipe)
    held = _standardised(validation, mean, deviation)
    best, best_loss, bad = run.head(), np.inf, 0
    for epoch in range(1, recipe.epochs + 1):
        run.epoch()
        if not np.isfinite(run.head().kernel).all():
            raise TrainingError(f"the head is not finite after epoch {epoch}: lower the learning rate")
        loss = _loss(kind, run.head(), held)
        on_epoch(epoch, recipe.epochs, loss)
        if loss < best_loss - 1e-5:
            best, best_loss, bad = run.head(), loss, 0
        else:
            run.rate, bad = run.rate / 2, bad + 1
        if bad >= recipe.patience:
            break
    kernel = best.kernel / deviation[:, None]
    return LinearHead(kernel.astype(np.float32), (best.bias - mean @ kernel).astype(np.float32))


def temperature(logits: Floats, truth: Floats, weights: Floats) -> Calibration:
    """Temperature scaling (Guo et al. 2017, arXiv:1706.04599).

    The one scale of all logits [rows, labels] that makes the weighted likelihood of the one-hot `truth` largest.
    """
    losses = [_cross_entropy(logits / t, truth, weights) for t in _TEMPERATURES]
    scale = 1.0 / float(_TEMPERATURES[int(np.argmin(losses))])
    return Calibration((scale,) * logits.shape[1], (0.0,) * logits.shape[1])


class _Run:
    """Parameters and the optimiser's state."""

    def __init__(self, kind: Kind, data: Split, recipe: HeadRecipe) -> None:
        hidden, labels = data.features.shape[1], data.truth.shape[1]
        self._activation = ACTIVATIONS[ACTIVATION[kind]]
        self._data = data
        self._recipe = recipe
        self._random = np.random.default_rng(recipe.seed)
        self._emphasis = _emphasis(data, recipe.balance, kind)
        self._parameters = [np.zeros((hidden, labels), np.float32), _prior(data, kind)]
        self._first = [np.zeros_like(p) for p in self._parameters]
        self._second = [np.zeros_like(p) for p in self._parameters]
        self._step = 0
        self.rate = recipe.learning_rate

    def head(self) -> LinearHead:
        kernel, bias = self._parameters
        return LinearHead(kernel.copy(), bias.copy())

    def epoch(self) -> None:
        order = self._random.permutation(len(self._data.features))
        for start in range(0, len(order), self._recipe.batch):
            self._descend(order[start : start + self._recipe.batch])

    def _descend(self, rows: np.ndarray[Any, Any]) -> None:
        features, kernel = self._data.features[rows], self._parameters[0]
        error = self._activation(features @ kernel + self._parameters[1]) - self._data.truth[rows]
        error *= self._emphasis[rows] / len(rows)
        self._step += 1
        for i, gradient in enumerate((features.T @ error, error.sum(0))):
            self._first[i] = _BETA1 * self._first[i] + (1 - _BETA1) * gradient
            self._second[i] = _BETA2 * self._second[i] + (1 - _BETA2) * gradient**2
            first = self._first[i] / (1 - _BETA1**self._step)
            second = self._second[i] / (1 - _BETA2**self._step)
            self._parameters[i] = self._parameters[i] - self.rate * first / (np.sqrt(second) + _EPSILON)
        self._parameters[0] *= 1 - self.rate * self._recipe.weight_decay


def _deviation(features: Floats) -> Floats:
    """Of each feature; one that hardly varies would get an enormous weight, which blows up the rounding of int8."""
    deviation = features.std(0)
    floored: Floats = np.maximum(deviation, _FLOOR * np.median(deviation) + 1e-6)
    return floored


def _standardised(data: Split, mean: Floats, deviation: Floats) -> Split:
    return Split(((data.features - mean) / deviation).astype(np.float32), data.truth, data.weights)


def _prior(data: Split, kind: Kind) -> Floats:
    """The bias of a head that knows nothing but how frequent each label is."""
    share = np.clip(np.average(data.truth, axis=0, weights=data.weights), 1e-4, 1 - 1e-4)
    prior: Floats = (np.log(share) - (np.log1p(-share) if kind == "multi" else 0.0)).astype(np.float32)
    return prior


def _emphasis(data: Split, balance: float, kind: Kind) -> Floats:
    """What each decision counts, [rows, labels] or [rows, 1]: the row's weight, more for rare labels."""
    rows = data.weights[:, None]
    if not balance:
        return rows
    share = np.average(data.truth, axis=0, weights=data.weights)
    rarity = (share.max() / np.maximum(share, 1e-6)) ** balance
    emphasis: Floats = np.where(data.truth > 0, rarity, 1.0) if kind == "multi" else data.truth @ rarity[:, None]
    return (rows * emphasis).astype(np.float32)


def _loss(kind: Kind, head: LinearHead, data: Split) -> float:
    logits = head.logits(data.features)
    if kind == "single":
        return _cross_entropy(logits, data.truth, data.weights)
    losses = np.logaddexp(0.0, logits) - logits * data.truth
    return float(np.average(losses.sum(1), weights=data.weights))


def _cross_entropy(logits: Floats, truth: Floats, weights: Floats) -> float:
    likelihood = (ACTIVATIONS["softmax"](logits) * truth).sum(1)
    return float(np.average(-np.log(np.maximum(likelihood, _TINY)), weights=weights))
