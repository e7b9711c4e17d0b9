"""Steps of SGD and Adam on a small network in PyTorch (1.13), double precision: the golden of test/optim/first-order.test.ts.

Writes data-optim/first-order.json: for each setting the loss before every step and the weights at the end. Inputs, targets
and first weights follow from sines, so that the test makes them itself.
"""

import json
import math
import os

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS = 40
SETTINGS = {
    "sgd": {"name": "sgd", "rate": 0.1, "momentum": 0},
    "sgd with momentum": {"name": "sgd", "rate": 0.05, "momentum": 0.9},
    "adam": {"name": "adam", "rate": 0.02, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
    "adam, other numbers": {"name": "adam", "rate": 0.05, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
}


def waves(shape, frequency):
    count = math.prod(shape)
    values = [math.sin(frequency * (i + 1)) for i in range(count)]
    return torch.tensor(values, dtype=torch.float32).double().reshape(shape)


def run(settings):
    x, y = waves([12, 4], 1.7), waves([12, 1], 0.9)
    w1, b1, w2 = [waves(s, f).requires_grad_() for s, f in [([4, 5], 2.3), ([5], 0.4), ([5, 1], 3.1)]]
    if settings["name"] == "sgd":
        optimiser = torch.optim.SGD([w1, b1, w2], lr=settings["rate"], momentum=settings["momentum"])
    else:
        betas = (settings["beta1"], settings["beta2"])
        optimiser = torch.optim.Adam([w1, b1, w2], lr=settings["rate"], betas=betas, eps=settings["epsilon"])
    losses = []
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = ((torch.tanh(x @ w1 + b1) @ w2 - y) ** 2).mean()
        loss.backward()
        losses.append(loss.item())
        optimiser.step()
    values = {"w1": w1, "b1": b1, "w2": w2}
    return {
        "settings": settings,
        "losses": [float(f"{v:.9g}") for v in losses],
        "values": {k: [float(f"{e:.9g}") for e in v.detach().reshape(-1)] for k, v in values.items()},
    }


if __name__ == "__main__":
    folder = os.path.join(HERE, "data-optim")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "first-order.json"), "w") as file:
        json.dump({name: run(settings) for name, settings in SETTINGS.items()}, file, indent=1)
        file.write("\n")
