"""Units of networks as a plain PyTorch script finds them: where they respond most, and what is sent back.

Writes data-units/rank<n>.npz beside this file: a small residual network with its weights and inputs, and for both of
its ReLU layers the nine inputs that excite every unit most (value, input, cell), and for the best of each what the
gradient, guided backpropagation (Springenberg et al. 2015) and the deconvolution (Zeiler & Fergus 2014) send back. And
data-units/squeezenet.json, of which the weights and photos are in the shared data: nine crops for every eighth unit of
four layers. Arrays are channels-last. Seeded: the same PyTorch writes the same values.
"""

import json
import os
import struct
import sys
import zlib

import numpy
import torch
import torch.nn.functional as F

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data-units")
SHARED = os.environ.get(
    "NDCONV_TEST_DATA", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../shared/data")
)
SIZES = {1: [41], 2: [21, 18], 3: [12, 11, 10]}
BEST = 9


class Rectifier(torch.autograd.Function):
    """ReLU whose backward pass is one of three rules."""

    rule = "gradient"

    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(context, incoming):
        (x,) = context.saved_tensors
        if Rectifier.rule == "deconvolution":
            return incoming.clamp(min=0)
        if Rectifier.rule == "guided":
            return incoming.clamp(min=0) * (x > 0)
        return incoming * (x > 0)


def best(activations):
    """[items, units, cells] to value, item and cell of the best inputs, each [units, BEST]."""
    most, cells = activations.max(dim=2)
    values, items, places = [], [], []
    for unit in range(most.shape[1]):
        order = sorted(range(most.shape[0]), key=lambda i: (-most[i, unit].item(), i))[:BEST]
        values.append([most[i, unit].item() for i in order])
        items.append(order)
        # The first of equal cells, which max does not promise.
        places.append([int((activations[i, unit] == most[i, unit]).nonzero()[0]) for i in order])
    return values, items, places


def first(x):
    return x.permute(0, x.dim() - 1, *range(1, x.dim() - 1))


def last(x):
    return x.permute(0, *range(2, x.dim()), 1)


def small(rank):
    torch.manual_seed(40 + rank)
    convolve = [F.conv1d, F.conv2d, F.conv3d][rank - 1]
    pool = [F.max_pool1d, F.max_pool2d, F.max_pool3d][rank - 1]
    kernel = [3] * rank
    w1 = torch.randn(4, 2, *kernel) * 0.4
    w2 = torch.randn(4, 4, *kernel) * 0.3
    b1, b2 = torch.randn(4) * 0.1, torch.randn(4) * 0.1
    inputs = torch.randn(12, *SIZES[rank], 2)

    def layers(x):
        relu1 = Rectifier.apply(convolve(x, w1, b1, stride=2, padding=1))
        pool1 = pool(relu1, 2, 2)
        conv2 = convolve(pool1, w2, b2, padding=2, dilation=2)
        return {"relu1": relu1, "relu2": Rectifier.apply(conv2 + pool1)}

    arrays = {"w1": w1, "w2": w2, "b1": b1, "b2": b2, "inputs": inputs}
    for name in ("w1", "w2"):
        w = arrays[name]
        arrays[name] = w.permute(*range(2, w.dim()), 1, 0)
    found = layers(first(inputs))
    for name, activations in found.items():
        values, items, cells = best(activations.flatten(2).detach())
        arrays[f"{name}.values"] = torch.tensor(values)
        arrays[f"{name}.items"] = torch.tensor(items).float()
        arrays[f"{name}.cells"] = torch.tensor(cells).float()
        for rule in ("gradient", "guided", "deconvolution"):
            Rectifier.rule = rule
            back = []
            for unit in range(4):
                x = first(inputs[items[unit][0]][None]).clone().requires_grad_()
                layers(x)[name].flatten(2)[0, unit, cells[unit][0]].backward()
                back.append(last(x.grad)[0])
            arrays[f"{name}.{rule}"] = torch.stack(back)
        Rectifier.rule = "gradient"
    numpy.savez_compressed(
        os.path.join(HERE, f"rank{rank}.npz"),
        **{k: v.detach().contiguous().numpy().astype(numpy.float32) for k, v in arrays.items()},
    )


def read_png(path):
    """An 8-bit RGB picture, [height, width, 3]."""
    with open(path, "rb") as file:
        data = file.read()
    at, packed = 8, b""
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            assert depth == 8 and colour == 2, path
        if kind == b"IDAT":
            packed += body
        at += length + 12
    raw = numpy.frombuffer(zlib.decompress(packed), numpy.uint8).reshape(height, 1 + width * 3)
    rows = numpy.zeros((height, width * 3), numpy.int32)
    for y in range(height):
        kind, line = raw[y, 0], raw[y, 1:].astype(numpy.int32)
        above = rows[y - 1] if y else numpy.zeros(width * 3, numpy.int32)
        if kind == 0:
            rows[y] = line
        elif kind == 2:
            rows[y] = (line + above) & 255
        else:
            for i in range(width * 3):
                a = rows[y, i - 3] if i >= 3 else 0
                b, c = above[i], above[i - 3] if i >= 3 else 0
                if kind == 1:
                    guess = a
                elif kind == 3:
                    guess = (a + b) // 2
                else:
                    p = a + b - c
                    guess = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
                rows[y, i] = (line[i] + guess) & 255
    return rows.reshape(height, width, 3)


def read_safetensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        body = file.read()
    return {
        name: torch.from_numpy(
            numpy.frombuffer(body[slice(*entry["data_offsets"])], numpy.float32).reshape(entry["shape"]).copy()
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }


def squeezenet():
    side, step = 224, 72
    crops, boxes = [], []
    for name in ("astronaut", "chelsea", "coffee"):
        picture = read_png(os.path.join(SHARED, "images", name + ".png"))
        for y in range(0, picture.shape[0] - side + 1, step):
            for x in range(0, picture.shape[1] - side + 1, step):
                crops.append(picture[y : y + side, x : x + side])
                boxes.append([name, y, x])
    weights = read_safetensors(os.path.join(SHARED, "models/squeezenet1_1/squeezenet1_1.safetensors"))
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)

    def convolve(x, name, **parameters):
        return F.relu(F.conv2d(x, weights[name + ".weight"], weights[name + ".bias"], **parameters))

    found = {}
    for crop in crops:
        x = torch.from_numpy(crop.astype(numpy.float32) / 255).permute(2, 0, 1)
        x = convolve(((x - mean) / deviation)[None], "features.0", stride=2)
        found.setdefault("relu1", []).append(x)
        for index in range(2, 13):
            if index in (2, 5, 8):
                x = F.max_pool2d(x, 3, 2)
                continue
            at = f"features.{index}"
            s = convolve(x, at + ".squeeze")
            x = torch.cat([convolve(s, at + ".expand1x1"), convolve(s, at + ".expand3x3", padding=1)], 1)
            layer = {3: "fire2/concat", 7: "fire5/concat", 12: "fire9/concat"}.get(index)
            if layer:
                found.setdefault(layer, []).append(x)
    layers = {}
    for layer, all_activations in found.items():
        activations = torch.cat(all_activations).flatten(2)[:, ::8]
        values, items, cells = best(activations)
        layers[layer] = {
            "values": [[float(f"{v:.6g}") for v in own] for own in values],
            "items": items,
            "cells": cells,
        }
    with open(os.path.join(HERE, "squeezenet.json"), "w") as file:
        json.dump({"side": side, "every": 8, "inputs": boxes, "layers": layers}, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    os.makedirs(HERE, exist_ok=True)
    torch.set_num_threads(1)
    for each in SIZES:
        small(each)
    if os.path.exists(SHARED):
        squeezenet()
    else:
        print(f"squeezenet.json stays as it is: there is no {SHARED}", file=sys.stderr)
