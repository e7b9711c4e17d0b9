# PyTorch in a process of its own, with the protocol of peer.ts: python3 peer.py THREADS.
import json
import math
import resource
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(int(sys.argv[1]))
CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


def values(length, salt, scale=1.0):
    i = np.arange(1, length + 1, dtype=np.int64)
    return (scale * (((i * 48271 + salt * 7919) % 2147483647) % 65521 / 65521.0 - 0.5)).astype(np.float32)


def first(shape, salt, scale=1.0):
    """[1, ...size, C] as [1, C, ...size]."""
    a = values(int(np.prod(shape)), salt, scale).reshape(shape)
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(a, -1, 1)))


def weights(kernel, depth, filters, salt):
    """[...kernel, C, K] as [K, C, ...kernel]."""
    shape = [*kernel, depth, filters]
    scale = math.sqrt(24 / np.prod(shape[:-1]))
    a = values(int(np.prod(shape)), salt, scale).reshape(shape)
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(np.moveaxis(a, -1, 0), -1, 1)))


def pick(flat):
    step = max(1, len(flat) // 256)
    return [float(v) for v in flat[::step][:257]]


def last(t):
    return np.ascontiguousarray(np.moveaxis(t.detach().numpy(), 1, -1)).ravel()


def prepare(task):
    rank = len(task['size'])
    conv, pool, kind = CONV[rank], POOL[rank], task['kind']
    x = first([1, *task['size'], task['channels']], 1)
    if kind == 'gram':
        def run():
            a = x.reshape(task['channels'], -1)
            return a @ a.T
        return run, lambda: pick(run().numpy().ravel())
    if kind == 'style-step':
        return style_step(task, x, conv, pool)
    w = weights(task['kernel'], task['channels'] // task['groups'], task['filters'], 2)
    options = dict(stride=task['stride'], padding=task['padding'], dilation=task['dilation'], groups=task['groups'])
    if kind == 'forward':
        def run():
            with torch.no_grad():
                return conv(x, w, **options)
        return run, lambda: pick(last(run()))
    with torch.no_grad():
        shape = conv(x, w, **options).shape
    dy = first([1, *shape[2:], shape[1]], 3)
    mask = [kind == 'input-gradient', kind == 'filter-gradient', False]
    each = lambda v: [v] * rank

    def run():
        return torch.ops.aten.convolution_backward(
            dy, x, w, None, each(task['stride']), each(task['padding']), each(task['dilation']), False, each(0), task['groups'], mask)
    if mask[0]:
        return run, lambda: pick(last(run()[0]))
    return run, lambda: pick(np.ascontiguousarray(np.moveaxis(np.moveaxis(run()[1].numpy(), 1, -1), 0, -1)).ravel())


def style_step(task, x, conv, pool):
    layers, channels, number = [], task['channels'], 0
    for layer in task['layers']:
        if layer == 'M':
            layers.append('M')
        else:
            layers.append(weights(task['kernel'], channels, layer, 10 + number))
            channels, number = layer, number + 1
    image = x.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([image], lr=0.01)
    losses = []

    def run():
        optimiser.zero_grad()
        value, pooled, loss = image, True, 0
        for layer in layers:
            if isinstance(layer, str):
                value, pooled = pool(value, 2), True
                continue
            value = F.relu(conv(value, layer, padding=task['padding']))
            if pooled:
                a = value.reshape(value.shape[1], -1)
                loss = loss + ((a @ a.T / a.shape[1]) ** 2).mean()
            pooled = False
        loss = loss + (value * value).mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss))

    def samples():
        while len(losses) < 3:
            run()
        return losses[:3]
    return run, samples


def answer(request):
    global current
    try:
        if 'prepare' in request:
            current = prepare(request['prepare'])
            return {'samples': current[1]()}
        started, runs = time.perf_counter(), 0
        while True:
            current[0]()
            runs += 1
            if (time.perf_counter() - started) * 1000 >= request['time']:
                break
        elapsed = (time.perf_counter() - started) * 1000
        return {'milliseconds': elapsed / runs, 'peak': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    except Exception as error:
        return {'unable': str(error)}


current = None
print(json.dumps({'ready': 'PyTorch ' + torch.__version__}), flush=True)
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
