"""Golden values of verification by scikit-learn 1.2.1: ROC, AUC, EER, best accuracy, average precision, probabilities.

Writes data-verification/*.json beside this file; read by test/verification. A smaller distance means "same", so that
scikit-learn's scores are the negative distances. Distances are written as the numbers they are.
"""

import json
import os

import numpy
from scipy.interpolate import interp1d
from scipy.optimize import brentq
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
