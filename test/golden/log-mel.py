"""Golden log-mel features, by the definitions of librosa 0.10 (filters.mel, feature.melspectrogram with
pad_mode="reflect", power_to_db with ref=1, amin=1e-10, top_db=80) written out with NumPy's transform in double precision.

Writes data-signal/log-mel.npz beside this file: for every case the sound x<i> and its features y<i> [frames, bands]; the
settings are in test/signal/log-mel.test.ts in the same order.
"""

import os

import numpy

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data-signal")


def hz_to_mel(f):
    f = numpy.asarray(f, dtype=float)
    return numpy.where(f >= 1000, 15 + numpy.log(numpy.maximum(f, 1) / 1000) / (numpy.log(6.4) / 27), f / (200 / 3))


def mel_to_hz(m):
    m = numpy.asarray(m, dtype=float)
    return numpy.where(m >= 15, 1000 * numpy.exp(numpy.log(6.4) / 27 * (m - 15)), m * (200 / 3))


def mel_filters(rate, points, bands, low, high):
    frequencies = numpy.fft.rfftfreq(points, 1 / rate)
    edges = mel_to_hz(numpy.linspace(hz_to_mel(low), hz_to_mel(high), bands + 2))
    ramps = edges[:, None] - frequencies[None, :]
    widths = numpy.diff(edges)
    lower = -ramps[:-2] / widths[:-1, None]
    upper = ramps[2:] / widths[1:, None]
    weights = numpy.maximum(0, numpy.minimum(lower, upper))
    return weights * (2 / (edges[2:] - edges[:-2]))[:, None]


def log_mel(x, rate, bands, window, hop, low, high):
    points = 1 << (window - 1).bit_length()
    hann = 0.5 - 0.5 * numpy.cos(2 * numpy.pi * numpy.arange(window) / window)
    before = (points - window) // 2
    hann = numpy.pad(hann, (before, points - window - before))
    padded = numpy.pad(x, points // 2, mode="reflect")
    frames = numpy.stack([padded[i : i + points] for i in range(0, len(padded) - points + 1, hop)])
    power = numpy.abs(numpy.fft.rfft(frames * hann, axis=1)) ** 2
    level = 10 * numpy.log10(numpy.maximum(1e-10, power @ mel_filters(rate, points, bands, low, high).T))
    return numpy.maximum(level, level.max() - 80)


def main():
    random = numpy.random.RandomState(7)
    arrays = {}
    for i, (rate, length, bands, window, hop, low, high) in enumerate(
        [(8000, 2000, 40, 200, 80, 0, 4000), (16000, 3000, 64, 400, 160, 50, 7600), (22050, 2500, 23, 512, 200, 0, 11025)]
    ):
        t = numpy.arange(length) / rate
        x = 0.4 * numpy.sin(2 * numpy.pi * (300 + 900 * t) * t) + 0.1 * numpy.sin(2 * numpy.pi * 2100 * t)
        # Noise in the second half alone, so that the range of 80 dB is reached.
        x += 0.02 * random.randn(length) * (t > t[-1] / 2)
        x = x.astype(numpy.float32)
        arrays[f"x{i}"] = x
        arrays[f"y{i}"] = log_mel(x.astype(float), rate, bands, window, hop, low, high)
    numpy.savez_compressed(os.path.join(HERE, "log-mel.npz"), **arrays)


if __name__ == "__main__":
    main()
