"""Golden values of every operation and its gradients, computed by PyTorch 1.13 in double precision.

Writes data/<case>.npz beside this file: inputs i0, i1 ..., the weights dy of the result in the loss sum(dy * y), the
result y, and the gradients g0, g1 ... of that loss. Arrays are channels-last, [batch, ...spatial, channels], and
convolution weights are [...kernel, channels in / groups, channels out]. Seeded: the same PyTorch writes the same
values. The build functions of the same names are in test/ops/golden-cases.ts.
"""

import os
import zlib

import numpy
import torch
import torch.nn.functional as F

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
SIZES = {1: [9], 2: [6, 5], 3: [5, 4, 5]}


def first(x):
    """Channels-last to channels-first."""
    return x.permute(0, x.dim() - 1, *range(1, x.dim() - 1))


def last(x):
    """Channels-first to channels-last."""
    return x.permute(0, *range(2, x.dim()), 1)


def weights(w):
    """[...kernel, in/groups, out] to [out, in/groups, ...kernel]."""
    return w.permute(w.dim() - 1, w.dim() - 2, *range(w.dim() - 2))


def torch_padding(margins):
    """[low, high] per dimension in the order of F.pad: the last dimension first."""
    return [n for margin in reversed(margins) for n in margin]


def case(name, shapes, function, positive=(), away=(), spaced=()):
    torch.manual_seed(zlib.crc32(name.encode()))
    inputs = []
    for i, shape in enumerate(shapes):
        x = torch.randn(shape, dtype=torch.float64)
        if i in positive:
            x = x.abs() + 0.5
        if i in away:
            x = x + x.sign() * 0.1
        if i in spaced:
            x = (torch.randperm(x.numel()).double() * 0.03 - 1).reshape(shape)
        # Values that single precision holds, so that both sides start from the same numbers.
        inputs.append(x.float().double().requires_grad_())
    y = function(*inputs)
    if y.dim() == 0:
        y = y.reshape(1)
    dy = torch.randn(y.shape, dtype=torch.float64).float().double()
    gradients = torch.autograd.grad((y * dy).sum(), inputs)
    arrays = {f"i{i}": x for i, x in enumerate(inputs)}
    arrays.update({f"g{i}": g for i, g in enumerate(gradients)})
    arrays.update(y=y, dy=dy)
    numpy.savez_compressed(
        os.path.join(HERE, name + ".npz"),
        **{k: v.detach().numpy().astype(numpy.float32) for k, v in arrays.items()},
    )


def convolution(rank, x, w, b, margins, mode="constant", **parameters):
    convolve = [F.conv1d, F.conv2d, F.conv3d][rank - 1]
    padded = F.pad(first(x), torch_padding(margins), mode=mode)
    return last(convolve(padded, weights(w), b, **parameters))


def by_rank(rank):
    size = SIZES[rank]
    x = [2, *size, 4]
    kernel = [3, 2, 2][:rank]
    margins = [[1, 2], [0, 1], [2, 0]][:rank]
    strides = [2, 1, 2][:rank]
    dilations = [2, 2, 1][:rank]
    axes = list(range(1, rank + 1))

    def at(name, shapes, function, **ranges):
        case(f"{name}-rank{rank}", shapes, function, **ranges)

    at("convolution", [x, [*kernel, 4, 3], [3]], lambda a, w, b: convolution(rank, a, w, b, margins))
    at(
        "convolution-strides-dilations-groups",
        [x, [*kernel, 2, 6], [6]],
        lambda a, w, b: convolution(rank, a, w, b, margins, stride=strides, dilation=dilations, groups=2),
    )
    at(
        "convolution-depthwise",
        [x, [*kernel, 1, 4], [4]],
        lambda a, w, b: convolution(rank, a, w, b, margins, groups=4),
    )
    for mode in ["reflect", "replicate"]:
        at(
            f"convolution-{mode}",
            [x, [*kernel, 4, 3], [3]],
            lambda a, w, b: convolution(rank, a, w, b, margins, mode=mode, stride=strides),
        )
    transposed = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][rank - 1]
    small = [1, *[min(n, 4) for n in size], 4]
    for groups in [1, 2]:
        at(
            f"transposed-convolution-groups{groups}",
            [small, [*kernel, 6 // groups, 4], [6]],
            lambda a, w, b: last(
                transposed(
                    first(a),
                    weights(w),
                    b,
                    stride=strides,
                    padding=1,
                    output_padding=[s - 1 for s in strides],
                    groups=groups,
                    dilation=dilations,
                )
            ),
        )
    for mode in ["constant", "reflect", "replicate"]:
        at(f"pad-{mode}", [x], lambda a: last(F.pad(first(a), torch_padding(margins), mode=mode)))

    maximum = [F.max_pool1d, F.max_pool2d, F.max_pool3d][rank - 1]
    average = [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d][rank - 1]
    at("max-pool", [x], lambda a: last(maximum(first(a), 3, 2, 1, 1, ceil_mode=True)), spaced=[0])
    at("max-pool-dilated", [x], lambda a: last(maximum(first(a), 2, 1, 0, 2)), spaced=[0])
    for ceil in [False, True]:
        for counted in [False, True]:
            name = f"average-pool-{'ceil' if ceil else 'floor'}-{'counted' if counted else 'inside'}"
            at(
                name,
                [x],
                lambda a: last(average(first(a), 3, 2, 1, ceil_mode=ceil, count_include_pad=counted)),
            )
    at("global-average-pool", [x], lambda a: a.mean(axes))
    at("global-max-pool", [x], lambda a: a.amax(axes), spaced=[0])
    at("affine", [x, [4], [4]], lambda a, s, t: a * s + t)
    at(
        "batch-norm",
        [x, [4], [4], [4], [4]],
        # Written out, since the running statistics of F.batch_norm take no gradient.
        lambda a, m, v, g, b: (a - m) / torch.sqrt(v + 1e-5) * g + b,
        positive=[2],
    )
    at(
        "instance-norm",
        [x, [4], [4]],
        lambda a, g, b: last(F.instance_norm(first(a), weight=g, bias=b)),
    )
    at("l2-normalise", [x], lambda a: F.normalize(a, dim=-1))
    larger = [n + 2 + a for a, n in enumerate(size)]
    smaller = [(n + 1) // 2 for n in size]
    linear = ["linear", "bilinear", "trilinear"][rank - 1]
    for text, target in [("larger", larger), ("smaller", smaller)]:
        at(f"resize-nearest-{text}", [x], lambda a: last(F.interpolate(first(a), target)))
        at(
            f"resize-linear-{text}",
            [x],
            lambda a: last(F.interpolate(first(a), target, mode=linear, align_corners=False)),
        )
    at(
        "resize-corners",
        [x],
        lambda a: last(F.interpolate(first(a), larger, mode=linear, align_corners=True)),
    )
    at("concat", [x, [2, *size, 3]], lambda a, b: torch.cat([a, b], -1))
    at("transpose", [x], lambda a: a.permute(*reversed(range(a.dim()))))
    at("slice", [x], lambda a: a[:, 1:4])
    at("flatten", [x], lambda a: a.reshape(2, -1))
    at("sum", [x], lambda a: a.sum([0, rank], keepdim=True))
    at("mean", [x], lambda a: a.mean([1, rank + 1], keepdim=True))
    at("softmax", [x], lambda a: F.softmax(a, -1))
    at("log-softmax", [x], lambda a: F.log_softmax(a, -1))
    at("gram", [[1, *size, 4]], lambda a: a.reshape(-1, 4).T @ a.reshape(-1, 4))
    at(
        "style-loss",
        [[1, *size, 4], [4, 4]],
        lambda a, s: ((a.reshape(-1, 4).T @ a.reshape(-1, 4) - s) ** 2).sum() / (2 * numpy.prod(size) * 4) ** 2,
    )
    at("total-variation", [x], lambda a: sum((a.diff(dim=d) ** 2).sum() for d in axes))


def elementwise():
    grid = [2, 5, 4]
    for name, function in [
        ("add", torch.add),
        ("sub", torch.sub),
        ("mul", torch.mul),
        ("div", torch.div),
    ]:
        positive = [1] if name == "div" else []
        case(name, [grid, grid], function, positive=positive)
        case(f"{name}-channels", [grid, [4]], function, positive=positive)
        case(f"{name}-cells", [grid, [5, 1]], function, positive=positive)
    for name, function in [
        ("relu", F.relu),
        ("leaky-relu", lambda x: F.leaky_relu(x, 0.2)),
        ("elu", lambda x: F.elu(x, 0.7)),
        ("sigmoid", torch.sigmoid),
        ("tanh", torch.tanh),
        ("softplus", F.softplus),
    ]:
        case(name, [grid], function, away=[0])
    case("prelu", [grid, [4]], lambda x, s: last(F.prelu(first(x), s)), away=[0])
    case("scale", [grid], lambda x: -1.5 * x)
    case("dense", [[3, 4], [4, 5], [5]], lambda x, w, b: F.linear(x, w.T, b))
    case("content-loss", [grid, grid], lambda a, c: 0.5 * ((a - c) ** 2).sum())
    case("mean-squared-error", [grid, grid], F.mse_loss)
    case("squared-distance", [[4, 3], [4, 3]], lambda a, b: ((a - b) ** 2).sum(-1, keepdim=True))
    case("cross-entropy", [[3, 4], [3, 4]], lambda x, t: -(t * F.log_softmax(x, -1)).sum(-1).mean())
    case(
        "binary-cross-entropy",
        [[3, 4], [3, 4]],
        F.binary_cross_entropy_with_logits,
        away=[0],
    )
    case(
        "triplet",
        [[5, 3]] * 3,
        lambda a, p, n: F.relu(((a - p) ** 2).sum(-1) - ((a - n) ** 2).sum(-1) + 0.5).sum(),
    )


if __name__ == "__main__":
    os.makedirs(HERE, exist_ok=True)
    for rank in SIZES:
        by_rank(rank)
    elementwise()
