"""The networks of @vladmandic/face-api in PyTorch 1.13 and double precision, on one small photo of a face.

Reads the package's weight manifests itself (quantised to bytes) and data-faces/face.npy, 150 x 150 x 3 bytes: the face
of the package's demo/sample1.jpg. Writes data-faces/expected.npz: the descriptor of the recognition network, the points
of the landmark network (on the middle 112 x 112 pixels), and boxes and scores of both detectors (on the photo doubled,
in the upper left of a black square) with their indices where the score is above 0.05. Architectures are transcribed
from the package's sources.
"""

import json
import os

import numpy
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "data-faces")
MODELS = os.path.join(HERE, "../../node_modules/@vladmandic/face-api/model")


def read_weights(name):
    """Tensors by name, dequantised."""
    with open(os.path.join(MODELS, f"{name}-weights_manifest.json")) as file:
        groups = json.load(file)
    tensors = {}
    for group in groups:
        raw = b"".join(open(os.path.join(MODELS, path), "rb").read() for path in group["paths"])
        at = 0
        for weight in group["weights"]:
            count = int(numpy.prod(weight["shape"]))
            quantised = weight.get("quantization")
            dtype = numpy.dtype(quantised["dtype"] if quantised else weight["dtype"])
            values = numpy.frombuffer(raw, dtype, count, at).astype(numpy.float64)
            at += count * dtype.itemsize
            if quantised:
                # As TensorFlow.js does it: the result is single precision.
                values = (values * quantised["scale"] + quantised["min"]).astype(numpy.float32)
            tensors[weight["name"]] = torch.from_numpy(
                values.astype(numpy.float64).reshape(weight["shape"])
            )
    return tensors


def filters(w):
    """[height, width, in, out] to [out, in, height, width]."""
    return w.permute(3, 2, 0, 1)


def same(x, size, stride, value=0.0):
    """Zeros (or another value) around as TensorFlow puts them, the odd one at the end."""
    margins = []
    for n in reversed(x.shape[2:]):
        total = max(0, (-(-n // stride) - 1) * stride + size - n)
        margins += [total // 2, total - total // 2]
    return F.pad(x, margins, value=value)


def conv(x, w, bias=None, stride=1, padding="same"):
    if padding == "same":
        x = same(x, w.shape[0], stride)
    return F.conv2d(x, filters(w), bias, stride)


def depthwise(x, w, stride=1):
    channels = w.shape[2]
    return F.conv2d(same(x, w.shape[0], stride), w.permute(2, 3, 0, 1), None, stride, 0, 1, channels)


def batch(image, mean, scale):
    """[height, width, 3] bytes to [1, 3, height, width]."""
    x = torch.from_numpy(image.astype(numpy.float64))
    return ((x - torch.tensor(mean, dtype=torch.float64)) / scale).permute(2, 0, 1)[None]


def descriptor(image):
    w = read_weights("face_recognition_model")

    def layer(x, name, stride, padding, relu=True):
        x = conv(x, w[f"{name}/conv/filters"], w[f"{name}/conv/bias"], stride, padding)
        x = x * w[f"{name}/scale/weights"].view(1, -1, 1, 1) + w[f"{name}/scale/biases"].view(1, -1, 1, 1)
        return F.relu(x) if relu else x

    def residual(x, name):
        y = layer(layer(x, f"{name}/conv1", 1, "same"), f"{name}/conv2", 1, "same", False)
        return F.relu(y + x)

    def down(x, name):
        y = layer(x, f"{name}/conv1", 2, "valid")
        y = layer(y, f"{name}/conv2", 1, "same", False)
        pooled = F.avg_pool2d(x, 2, 2)
        if y.shape[2] != pooled.shape[2]:
            y = F.pad(y, [0, 1, 0, 1])
        if y.shape[1] != pooled.shape[1]:
            pooled = torch.cat([pooled, torch.zeros_like(pooled)], 1)
        return F.relu(pooled + y)

    x = batch(image, [122.782, 117.001, 104.298], 255)
    x = F.max_pool2d(layer(x, "conv32_down", 2, "valid"), 3, 2)
    for width, count in [(32, 3), (64, 3), (128, 2), (256, 2)]:
        if width > 32:
            x = down(x, f"conv{width}_down")
        for i in range(1, count + 1):
            x = residual(x, f"conv{width}_{i}")
    x = down(x, "conv256_down_out")
    return x.mean((2, 3)) @ w["fc"]


def landmarks(image):
    w = read_weights("face_landmark_68_model")

    def separable(x, name, stride):
        y = depthwise(x, w[f"{name}/depthwise_filter"], stride)
        return conv(y, w[f"{name}/pointwise_filter"], w[f"{name}/bias"])

    x = batch(image, [122.782, 117.001, 104.298], 255)
    for i in range(4):
        name = f"dense{i}"
        if i == 0:
            first = F.relu(conv(x, w["dense0/conv0/filters"], w["dense0/conv0/bias"], 2))
        else:
            first = F.relu(separable(x, f"{name}/conv0", 2))
        second = separable(first, f"{name}/conv1", 1)
        third = separable(F.relu(first + second), f"{name}/conv2", 1)
        fourth = separable(F.relu(first + second + third), f"{name}/conv3", 1)
        x = F.relu(first + second + third + fourth)
    x = F.avg_pool2d(x, 7, 2)
    return x.permute(0, 2, 3, 1).reshape(1, -1) @ w["fc/weights"] + w["fc/bias"]


def in_square(image, size):
    """The photo doubled, in the upper left of a black square."""
    square = numpy.zeros([size, size, 3], numpy.uint8)
    doubled = image.repeat(2, 0).repeat(2, 1)
    square[: doubled.shape[0], : doubled.shape[1]] = doubled
    return square


def single_shot(image):
    """Boxes [top, left, bottom, right] in parts of the side, and scores."""
    w = read_weights("ssd_mobilenetv1_model")

    def pointwise(x, name, stride):
        y = conv(x, w[f"{name}/weights"], w[f"{name}/convolution_bn_offset"], stride)
        return y.clamp(0, 6)

    x = batch(in_square(image, 512), [127.5] * 3, 127.5)
    x = pointwise(x, "MobilenetV1/Conv2d_0_pointwise", 2)
    for i in range(1, 14):
        name = f"MobilenetV1/Conv2d_{i}_depthwise"
        x = depthwise(x, w[f"{name}/depthwise_weights"], 2 if i in (2, 4, 6, 12) else 1)
        norm = [w[f"{name}/BatchNorm/{p}"] for p in ["moving_mean", "moving_variance", "gamma", "beta"]]
        x = F.batch_norm(x, *norm, eps=0.0010000000474974513).clamp(0, 6)
        x = pointwise(x, f"MobilenetV1/Conv2d_{i}_pointwise", 1)
        if i == 11:
            grids = [x]
    grids.append(x)
    for i in range(8):
        x = pointwise(x, f"Prediction/Conv2d_{i}_pointwise", 2 if i % 2 else 1)
        if i % 2:
            grids.append(x)
    boxes, classes = [], []
    for i, grid in enumerate(grids):
        for kind, numbers, into in [("BoxEncodingPredictor", 4, boxes), ("ClassPredictor", 3, classes)]:
            name = f"Prediction/BoxPredictor_{i}/{kind}"
            y = conv(grid, w[f"{name}/weights"], w[f"{name}/biases"])
            into.append(y.permute(0, 2, 3, 1).reshape(-1, numbers))
    change, scores = torch.cat(boxes), torch.sigmoid(torch.cat(classes)[:, 1])
    prior = w["Output/extra_dim"][0]
    sizes = prior[:, 2:] - prior[:, :2]
    centres = prior[:, :2] + sizes / 2 + change[:, :2] / 10 * sizes
    half = torch.exp(change[:, 2:] / 5) * sizes / 2
    return torch.cat([centres - half, centres + half], 1), scores


def tiny(image):
    """Boxes [left, top, width, height] in parts of the side, and scores."""
    w = read_weights("tiny_face_detector_model")
    anchors = [
        [1.603231, 2.094468],
        [6.041143, 7.080126],
        [2.882459, 3.518061],
        [4.266906, 5.178857],
        [9.041765, 10.66308],
    ]

    def leaky(x):
        return F.leaky_relu(x, 0.10000000149011612)

    x = batch(in_square(image, 416), [117.001, 114.697, 97.404], 255)
    x = leaky(conv(x, w["conv0/filters"], w["conv0/bias"], 1, "valid"))
    for i in range(1, 6):
        x = F.max_pool2d(same(x, 2, 2, -numpy.inf), 2, 2)
        y = F.pad(x, [1, 1, 1, 1])
        channels = y.shape[1]
        y = F.conv2d(y, w[f"conv{i}/depthwise_filter"].permute(2, 3, 0, 1), None, 1, 0, 1, channels)
        x = leaky(conv(y, w[f"conv{i}/pointwise_filter"], w[f"conv{i}/bias"]))
    # The last pool steps by one cell.
    x = F.max_pool2d(same(x, 2, 1, -numpy.inf), 2, 1)
    x = conv(x, w["conv8/filters"], w["conv8/bias"])
    side = x.shape[2]
    x = x.permute(0, 2, 3, 1).reshape(side, side, 5, 5)
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    corner = torch.stack([column, row], -1)[:, :, None].double()
    centres = corner + torch.sigmoid(x[..., :2])
    sizes = torch.exp(x[..., 2:4]) * torch.tensor(anchors, dtype=torch.float64)
    boxes = torch.cat([centres - sizes / 2, sizes], -1) / side
    return boxes.reshape(-1, 4), torch.sigmoid(x[..., 4]).reshape(-1)


def main():
    image = numpy.load(os.path.join(DATA, "face.npy"))
    found = {"descriptor": descriptor(image), "points": landmarks(image[19:131, 19:131])}
    for name, detector in [("single-shot", single_shot), ("tiny", tiny)]:
        boxes, scores = detector(image)
        above = torch.nonzero(scores > 0.05)[:, 0]
        found.update({f"{name}-index": above, f"{name}-boxes": boxes[above], f"{name}-scores": scores[above]})
    arrays = {name: value.numpy().astype(numpy.float32) for name, value in found.items()}
    numpy.savez(os.path.join(DATA, "expected.npz"), **arrays)
    for name, value in arrays.items():
        print(name, value.shape, value.ravel()[:4])


if __name__ == "__main__":
    main()
