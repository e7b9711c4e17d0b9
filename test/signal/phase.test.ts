// Phase reconstruction on real sounds, measured by spectral convergence, and its conventions on synthetic ones.

import test from 'tape';
import { createRandom } from '../../src/random.ts';
import { type FirstPhase, reconstructPhase, spectralConvergence } from '../../src/signal/phase.ts';
import { integratePhase } from '../../src/signal/phase-gradient.ts';
import { createStft, stft } from '../../src/signal/stft.ts';
import { channelOf, recording } from './sounds.ts';

const settings = { frame: 1024, hop: 256 };

const polar = (
  samples: ArrayLike<number>,
): { magnitudes: Float32Array; phases: Float32Array; bins: number } => {
  const { data, frames, bins } = stft(samples, settings);
  const magnitudes = new Float32Array(frames * bins);
  const phases = new Float32Array(frames * bins);
  for (let i = 0; i < magnitudes.length; i++) {
    magnitudes[i] = Math.hypot(data[2 * i], data[2 * i + 1]);
    phases[i] = Math.atan2(data[2 * i + 1], data[2 * i]);
  }
  return { magnitudes, phases, bins };
};

test('phase: the right phases need no refinement', async t => {
  const random = createRandom(4);
  const samples = Float32Array.from({ length: 5000 }, () => 0.2 * random.normal());
  const { magnitudes, phases } = polar(samples);
  const result = await reconstructPhase(magnitudes, 5000, settings, { first: phases, iterations: 0 });
  t.equal(result.iterations, 0);
  t.ok(result.convergence < -100, `${result.convergence.toFixed(1)} dB`);
  t.ok(result.samples.every((v, i) => Math.abs(v - samples[i]) < 1e-5));
  t.end();
});

test('phase: heap integration finds how phases change along chirps and clicks', async t => {
  const rate = 16000;
  const length = 12000;
  const chirp = Float32Array.from({ length }, (_, i) => {
    const s = i / rate;
    return Math.sin(2 * Math.PI * (1000 * s + 1500 * s * s)) * Math.sin((Math.PI * i) / length) ** 2;
  });
  const click = new Float32Array(length);
  click[6100] = 1;
  for (const [name, samples] of [
    ['chirp', chirp],
    ['click', click],
  ] as const) {
    const { magnitudes, phases, bins } = polar(samples);
    const plan = createStft(length, settings);
    const found = integratePhase(magnitudes, plan.frames, bins, plan.settings, createRandom(1));
    // Mean cosine of the error in the step from a point to the next bin or frame, weighted by both magnitudes.
    for (const [direction, step] of [
      ['bin', 1],
      ['frame', bins],
    ] as const) {
      let [agreement, total] = [0, 0];
      for (let i = step; i < magnitudes.length; i++) {
        const weight = magnitudes[i] * magnitudes[i - step];
        agreement += weight * Math.cos(found[i] - found[i - step] - (phases[i] - phases[i - step]));
        total += weight;
      }
      t.ok(
        agreement / total > 0.95,
        `${name}, from ${direction} to ${direction}: ${(agreement / total).toFixed(4)}`,
      );
    }
  }
  t.end();
});

test('phase: on recordings, the fast form and integrated phases win', async t => {
  for (const [name, skip] of [
    ['lena', 2],
    ['speech', 1],
    ['vibe_ace', 10],
  ] as const) {
    const sound = await recording(name, skip, 2);
    if (sound === null) {
      t.comment(`SKIP ${name}: ../shared/data/audio is absent`);
      continue;
    }
    const samples = channelOf(sound);
    const { magnitudes } = polar(samples);
    const after = async (first: FirstPhase, momentum: number, iterations: number): Promise<number> =>
      (await reconstructPhase(magnitudes, samples.length, settings, { first, momentum, iterations }))
        .convergence;
    const [start, plain, fast, plainRandom, fastRandom] = [
      await after('gradient', 0, 0),
      await after('gradient', 0, 30),
      await after('gradient', 0.99, 30),
      await after('random', 0, 30),
      await after('random', 0.99, 30),
    ];
    t.comment(
      `${name}: integrated ${start.toFixed(1)} dB, then plain ${plain.toFixed(1)}, fast ${fast.toFixed(1)}; ` +
        `random then plain ${plainRandom.toFixed(1)}, fast ${fastRandom.toFixed(1)}`,
    );
    t.ok(start < -15, 'integrated phases alone are near');
    t.ok(fast < plain - 0.3 && fastRandom < plainRandom - 3, 'the fast form gets nearer');
    t.ok(fast < fastRandom - 2, 'integrated phases get nearer than random ones');
    t.ok(fast < -22, 'near enough to the recording');
  }
  t.end();
});

test('phase: progress, stopping, repeatability', async t => {
  const random = createRandom(9);
  const samples = Float32Array.from({ length: 8000 }, () => 0.2 * random.normal());
  const { magnitudes } = polar(samples);
  const seen: number[] = [];
  const abort = new AbortController();
  const stopped = await reconstructPhase(magnitudes, 8000, settings, {
    iterations: 50,
    signal: abort.signal,
    progress: (i, convergence) => {
      seen.push(convergence);
      if (i === 5) abort.abort();
    },
  });
  t.equal(stopped.iterations, 5);
  t.equal(seen.length, 5);
  t.ok(stopped.convergence < seen[0] && seen[4] < seen[0], 'it gets nearer');
  t.equal(stopped.convergence, spectralConvergence(stopped.samples, magnitudes, settings));

  const options = { first: 'random', iterations: 3 } as const;
  const run = async (seed: number): Promise<Float32Array> =>
    (await reconstructPhase(magnitudes, 8000, settings, { ...options, seed })).samples;
  t.deepEqual(await run(1), await run(1), 'the same seed repeats');
  t.notDeepEqual(await run(1), await run(2), 'another seed differs');
  t.end();
});

test('phase: silence and sizes that do not fit', async t => {
  const { frames, bins } = createStft(3000, settings);
  for (const first of ['gradient', 'zero', 'random'] as const) {
    const silent = await reconstructPhase(new Float32Array(frames * bins), 3000, settings, {
      first,
      iterations: 2,
    });
    t.ok(
      silent.samples.every(v => v === 0),
      `silence from ${first}`,
    );
  }
  const refused = await reconstructPhase(new Float32Array(10), 3000, settings).catch(e => e);
  t.match(refused.message, /10 magnitudes given, but 3000 samples have \d+ frames × 513 bins/);
  const phases = await reconstructPhase(new Float32Array(frames * bins), 3000, settings, {
    first: new Float32Array(3),
  }).catch(e => e);
  t.match(phases.message, /3 first phases given/);
  t.end();
});
