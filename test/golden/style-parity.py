"""Loss curve of one style transfer written in plain PyTorch (1.13), the golden of test/style/parity.test.ts.

    python3 style-parity.py DATA

DATA is the folder of real data (images/, models/). Content and style are every fourth pixel of a 256x256 piece of two
photographs, the start is noise made by a rule; VGG-19 to conv3_1, reflect padding, 50 steps of Adam on
    alpha * sum_l w_l 0.5 |a_l(C) - a_l(G)|^2
  + beta * sum_l lambda_l |Gram_l(S) / cells - Gram_l(G) / cells|_F^2 / (2 channels)^2
  + tau * TV(G).
Writes data-style/vgg19-adam.json: the settings, and content, style, tv and total before each step, in single and in
double precision.
"""

import json
import os
import struct
import sys

import numpy
import torch
import torch.nn.functional as F
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
SETTINGS = {
    "size": 64,
    "every": 4,
    "content": {"image": "astronaut.png", "at": [0, 96], "layers": {"relu2_2": 0.5, "relu3_1": 1}},
    "style": {
        "image": "chelsea.png",
        "at": [20, 100],
        "layers": {"relu1_1": 0.2, "relu1_2": 0.3, "relu2_1": 0.5, "relu3_1": 1},
    },
    "contentWeight": 1,
    "styleWeight": 1000000,
    "totalVariation": 50,
    "rate": 0.02,
    "iterations": 50,
}


def read_safetensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        body = file.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F32", entry
        start, end = entry["data_offsets"]
        values = numpy.frombuffer(body[start:end], dtype="<f4").reshape(entry["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return tensors


def crop(data, part):
    image = numpy.asarray(Image.open(os.path.join(data, "images", part["image"])).convert("RGB"))
    (y, x), span = part["at"], SETTINGS["size"] * SETTINGS["every"]
    pixels = image[y : y + span : SETTINGS["every"], x : x + span : SETTINGS["every"]]
    return torch.from_numpy(pixels.astype(numpy.float32) / 255).permute(2, 0, 1)[None]


def noise():
    """A linear congruential generator over [y, x, channel], so that any language can make it."""
    size = SETTINGS["size"]
    state, values = 12345, []
    for _ in range(size * size * 3):
        state = (1664525 * state + 1013904223) % 2**32
        values.append(0.25 + 0.5 * (state >> 16) / 65536)
    grid = torch.tensor(values, dtype=torch.float32).reshape(size, size, 3)
    return grid.permute(2, 0, 1)[None]


def activations(tensors, x):
    found = {}
    x = F.conv2d(x, tensors["preprocess.weight"], tensors["preprocess.bias"])
    for name, index, pool in [
        ("relu1_1", 0, False),
        ("relu1_2", 2, True),
        ("relu2_1", 5, False),
        ("relu2_2", 7, True),
        ("relu3_1", 10, False),
    ]:
        padded = F.pad(x, [1, 1, 1, 1], mode="reflect")
        x = F.relu(F.conv2d(padded, tensors[f"features.{index}.weight"], tensors[f"features.{index}.bias"]))
        found[name] = x
        if pool:
            x = F.max_pool2d(x, 2)
    return found


def gram(a):
    flat = a.reshape(a.shape[1], -1)
    return flat @ flat.T / flat.shape[1]


def curve(data, dtype):
    path = os.path.join(data, "models/vgg19_normalised/vgg19_normalised_to_conv3_1.safetensors")
    tensors = {name: t.to(dtype) for name, t in read_safetensors(path).items()}
    content, style = SETTINGS["content"], SETTINGS["style"]
    with torch.no_grad():
        wanted = activations(tensors, crop(data, content).to(dtype))
        grams = {k: gram(a) for k, a in activations(tensors, crop(data, style).to(dtype)).items()}
    image = noise().to(dtype).requires_grad_()
    optimiser = torch.optim.Adam([image], lr=SETTINGS["rate"], betas=(0.9, 0.999), eps=1e-8)
    steps = {"content": [], "style": [], "tv": [], "total": []}
    for _ in range(SETTINGS["iterations"]):
        optimiser.zero_grad()
        found = activations(tensors, image)
        parts = {
            "content": sum(w * 0.5 * ((found[k] - wanted[k]) ** 2).sum() for k, w in content["layers"].items()),
            "style": sum(
                w * ((gram(found[k]) - grams[k]) ** 2).sum() / (2 * len(grams[k])) ** 2
                for k, w in style["layers"].items()
            ),
            "tv": ((image[:, :, 1:] - image[:, :, :-1]) ** 2).sum()
            + ((image[:, :, :, 1:] - image[:, :, :, :-1]) ** 2).sum(),
        }
        parts["total"] = (
            SETTINGS["contentWeight"] * parts["content"]
            + SETTINGS["styleWeight"] * parts["style"]
            + SETTINGS["totalVariation"] * parts["tv"]
        )
        for name, values in steps.items():
            values.append(float(f"{parts[name].item():.7g}"))
        parts["total"].backward()
        optimiser.step()
    return steps


if __name__ == "__main__":
    data = sys.argv[1]
    golden = {
        "settings": SETTINGS,
        # The sums of the inputs tell other pixels from other arithmetic.
        "sums": {
            "content": crop(data, SETTINGS["content"]).double().sum().item(),
            "style": crop(data, SETTINGS["style"]).double().sum().item(),
            "start": noise().double().sum().item(),
        },
        "single": curve(data, torch.float32),
        "double": curve(data, torch.float64),
    }
    for name in ["content", "style", "tv", "total"]:
        pairs = list(zip(golden["single"][name], golden["double"][name]))
        apart = max(abs(a - b) / b for a, b in pairs)
        print(f"{name}: {pairs[0][1]:.5g} to {pairs[-1][1]:.5g}; single and double differ by {apart:.1e}")
    folder = os.path.join(HERE, "data-style")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "vgg19-adam.json"), "w") as file:
        json.dump(golden, file, indent=2)
        file.write("\n")
