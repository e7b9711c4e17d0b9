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
    if task.get('network'):
        return network(task, x)
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


AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def network(task, x):
    rank = len(task['size'])
    shape = [task.get('batch', 1), *task['size'], task['channels']]
    x = first(shape, 1)
    layers = task['network']
    training = task['kind'] == 'training-step'
    parameters = {}

    def parameter(key, shape, salt, scale, around):
        if key not in parameters:
            a = values(int(np.prod(shape)), salt, scale).reshape(shape) + np.float32(around)
            if len(shape) > 2:
                a = np.moveaxis(np.moveaxis(a, -1, 0), -1, 1)
            parameters[key] = torch.from_numpy(np.ascontiguousarray(a)).requires_grad_(training)
        return parameters[key]

    def forward():
        done = []
        for i, layer in enumerate(layers):
            source = layer.get('from', i - 1)
            a = done[source] if source >= 0 else x
            depth, op = a.shape[1], layer['op']
            if op == 'convolution':
                k = [layer['kernel']] * rank
                n = layer['filters']
                w = parameter((i, 0), [*k, depth, n], 100 + 4 * i, math.sqrt(24 / (np.prod(k) * depth)), 0)
                b = parameter((i, 1), [n], 101 + 4 * i, 0.1, 0)
                a = CONV[rank](a, w, b, stride=layer['stride'], padding=layer['padding'])
                if layer.get('scaled'):
                    each = [1, n] + [1] * rank
                    a = a * parameter((i, 2), [n], 102 + 4 * i, 0.1, 1).view(each)
                    a = a + parameter((i, 3), [n], 103 + 4 * i, 0.1, 0).view(each)
                a = F.relu(a) if layer.get('relu') else a
            elif op == 'max-pool':
                a = POOL[rank](a, layer['window'], layer['stride'])
            elif op == 'average-pool':
                a = AVERAGE[rank](a, layer['window'])
            elif op == 'pad':
                a = F.pad(a, [0, layer['cells']] * rank + [0, layer['channels']])
            elif op == 'add':
                a = F.relu(a + done[layer['with']])
            elif op == 'mean':
                a = a.mean(dim=list(range(2, 2 + rank)))
            elif op == 'dense':
                a = a @ parameter((i, 0), [depth, layer['filters']], 100 + 4 * i, math.sqrt(24 / depth), 0)
            done.append(a)
        return done[-1]

    if not training:
        def run():
            with torch.no_grad():
                return forward()
        return run, lambda: pick(last(run()))
    targets = torch.arange(shape[0])
    optimiser = None
    losses = []

    def step():
        nonlocal optimiser
        logits = forward()
        loss = F.cross_entropy(logits, targets % logits.shape[1])
        optimiser = optimiser or torch.optim.Adam(list(parameters.values()), lr=1e-3)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss))

    def samples():
        while len(losses) < 2:
            step()
        return losses[:2]
    return step, samples


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
        while len(losses) < 2:
            run()
        return losses[:2]
    return run, samples


def answer(request):
    global current
    try:
        if 'prepare' in request:
            current = None
            current = prepare(request['prepare'])
            started = time.perf_counter()
            found = current[1]()
            return {'samples': found, 'milliseconds': (time.perf_counter() - started) * 1000}
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
