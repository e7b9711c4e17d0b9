"""Golden values of verification by scikit-learn 1.2.1: ROC, AUC, EER, best accuracy, average precision, probabilities.

Writes data-verification/*.json beside this file; read by test/verification. A smaller distance means "same", so that
scikit-learn's scores are the negative distances. Distances are written as the numbers they are.
"""

import json
import os
import warnings

import numpy
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, det_curve, log_loss, roc_auc_score, roc_curve

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data-verification")
FARS = [0.001, 0.01, 0.1]


def numbers(values):
    return [float(v) for v in values]


def curves(distances, same, weights=None):
    scores = -distances
    fpr, tpr, thresholds = roc_curve(same, scores, sample_weight=weights, drop_intermediate=False)
    fmr, fnmr, _ = det_curve(same, scores, sample_weight=weights)
    crossing = lambda x: 1 - x - interp1d(fpr, tpr)(x)
    eer = 0.0 if fpr[tpr == 1].min() == 0 else brentq(crossing, 0, 1, xtol=1e-15, rtol=1e-14)
    return {
        "fpr": numbers(fpr),
        "tpr": numbers(tpr),
        "det": [numbers(fmr), numbers(fnmr)],
        "auc": roc_auc_score(same, scores, sample_weight=weights),
        "eer": float(eer),
        "accuracy": float(((1 + tpr - fpr) / 2).max()),
        "averagePrecision": average_precision_score(same, scores, sample_weight=weights),
        "val": {str(far): float(tpr[fpr <= far].max()) for far in FARS},
    }


def ranked(seed, count, decimals, gap):
    random = numpy.random.RandomState(seed)
    same = (random.uniform(size=count) < 0.3).astype(int)
    distances = numpy.round(random.gamma(4, 0.1, count) + gap * (1 - same), decimals)
    weights = random.randint(0, 4, count).astype(float)
    return {
        "distances": numbers(distances),
        "same": [int(s) for s in same],
        "weights": numbers(weights),
        "plain": curves(distances, same),
        "weighted": curves(distances, same, weights),
    }


def fit_logistic(features, targets, weights, penalty):
    """scikit-learn's minimum, refused where its gradient says that it is not exact enough for a golden."""
    model = LogisticRegression(
        penalty="l2" if penalty else None, C=1 / penalty if penalty else 1.0, tol=1e-13, max_iter=1000, solver="newton-cholesky"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(features, targets, sample_weight=weights)
    rest = weights * (model.predict_proba(features)[:, 1] - targets)
    gradient = numpy.append(rest @ features + penalty * model.coef_[0], rest.sum())
    assert numpy.abs(gradient).max() < 1e-13, gradient
    return model


def prior_weights(same, prior):
    return numpy.where(same, prior / same.sum(), (1 - prior) / (1 - same).sum())


def probabilities(seed, count, prior, decimals):
    """Platt's curve with his targets, as two rows a pair; the isotonic one, clipped; and how good they are."""
    random = numpy.random.RandomState(seed)
    same = (random.uniform(size=count) < 0.3).astype(int)
    distances = numpy.round(random.gamma(4, 0.1, count) + 0.2 * (1 - same), decimals)
    weights = prior_weights(same, prior)
    n = same.sum()
    targets = numpy.where(same, (n + 1) / (n + 2), 1 / (count - n + 2))
    model = fit_logistic(
        numpy.tile(-distances, 2)[:, None],
        numpy.repeat([1, 0], count),
        numpy.concatenate([weights * targets, weights * (1 - targets)]),
        0,
    )
    low, high = 1 / (count - n + 2), 1 - 1 / (n + 2)
    isotonic = IsotonicRegression(y_min=low, y_max=high, increasing=False, out_of_bounds="clip")
    isotonic.fit(distances, same, sample_weight=weights)
    said = model.predict_proba(-distances[:, None])[:, 1]
    seen_rate, said_rate = calibration_curve(same, said, n_bins=10)
    at = numpy.linspace(-0.1, 2, 43)
    return {
        "distances": numbers(distances),
        "same": [int(s) for s in same],
        "prior": prior,
        "slope": float(model.coef_[0, 0]),
        "offset": float(model.intercept_[0]),
        "at": numbers(at),
        "isotonic": numbers(isotonic.predict(at)),
        "said": numbers(said),
        "brier": brier_score_loss(same, said, sample_weight=weights),
        "logLoss": log_loss(same, said, sample_weight=weights),
        "bins": {"seen": numbers(seen_rate), "said": numbers(said_rate)},
    }


def logistic(seed, count, size, c):
    random = numpy.random.RandomState(seed)
    features = numpy.round(random.normal(size=(count, size)), 6)
    targets = (features @ random.normal(size=size) + random.normal(size=count) > 0.5).astype(int)
    weights = prior_weights(targets, 0.5)
    model = fit_logistic(features, targets, weights, 1 / c)
    return {
        "features": numbers(features.reshape(-1)),
        "targets": [int(t) for t in targets],
        "weights": numbers(weights),
        "lambda": 1 / c,
        "coefficients": numbers(model.coef_[0]),
        "bias": float(model.intercept_[0]),
    }


def write(name, value):
    os.makedirs(HERE, exist_ok=True)
    with open(os.path.join(HERE, name + ".json"), "w") as file:
        json.dump(value, file)
        file.write("\n")


if __name__ == "__main__":
    write("ranked", {
        "spread": ranked(1, 300, 17, 0.3),
        "ties": ranked(2, 300, 1, 0.2),
        "parted": ranked(3, 60, 17, 9),
        "useless": ranked(4, 200, 17, 0),
    })
    write("probabilities", {
        "even": probabilities(11, 150, 0.5, 17),
        "rare": probabilities(12, 150, 0.05, 17),
        "ties": probabilities(13, 150, 0.5, 1),
    })
    write("logistic", {"weak": logistic(21, 120, 6, 100.0), "strong": logistic(22, 120, 6, 0.1)})
