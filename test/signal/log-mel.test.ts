// Log-mel features against NumPy's (test/golden/log-mel.py), and as an operation of prepare.

import { readFileSync } from 'node:fs';
import test from 'tape';
import { NdconvError } from '../../src/errors.ts';
import { readNpz } from '../../src/formats/npz.ts';
import type { Operation } from '../../src/prepare/operations.ts';
import { planOperations } from '../../src/prepare/operations.ts';
import { applyOperations } from '../../src/prepare/run.ts';
import { logMel, melWeights } from '../../src/signal/log-mel.ts';
import { soundOf } from './sounds.ts';

const path = new URL('../golden/data-signal/log-mel.npz', import.meta.url);
const cases = [
  { rate: 8000, settings: { bands: 40 } },
  { rate: 16000, settings: { low: 50, high: 7600 } },
  { rate: 22050, settings: { bands: 23, window: 512 / 22050, hop: 200 / 22050 } },
];

test('log-mel: the levels that NumPy computes', async t => {
  const golden = await readNpz(readFileSync(path), 'log-mel.npz');
  for (const [i, { rate, settings }] of cases.entries()) {
    const expected = golden.get(`y${i}`)!;
    const { data, shape, axes, kind, valueUnit } = logMel(soundOf(golden.get(`x${i}`)!.data, rate), settings);
    t.deepEqual(shape, expected.shape, `${shape.join(' frames × ')} bands`);
    const worst = data.reduce((most, value, at) => Math.max(most, Math.abs(value - expected.data[at])), 0);
    t.ok(worst < 1e-3, `largest difference ${worst.toExponential(1)} dB`);
    const hop = Math.round((settings.hop ?? 0.01) * rate);
    t.deepEqual([kind, valueUnit, axes[0].spacing], ['signal', 'dB', hop / rate]);
    const loudest = Math.max(...data);
    t.ok(Math.abs(Math.min(...data) - (loudest - 80)) < 1e-3, 'the range is 80 dB');
  }
  t.end();
});

test('log-mel: a tone is in its band, bands have equal areas', t => {
  const rate = 16000;
  const tone = soundOf(
    Float32Array.from({ length: rate }, (_, i) => Math.sin((2 * Math.PI * 440 * i) / rate)),
    rate,
  );
  const { data, shape } = logMel(tone, { bands: 40 });
  const row = data.subarray(50 * 40, 51 * 40);
  const weights = melWeights(rate, { bands: 40, low: 0, high: 8000, points: 512 });
  const bin = Math.round((440 / rate) * 512);
  const at = Array.from({ length: 40 }, (_, band) => weights[band * 257 + bin]);
  t.equal(row.indexOf(Math.max(...row)), at.indexOf(Math.max(...at)));
  t.deepEqual(shape, [101, 40]);
  const fine = melWeights(rate, { bands: 10, low: 0, high: 8000, points: 8192 });
  for (let band = 0; band < 10; band++) {
    const area = fine.subarray(band * 4097, (band + 1) * 4097).reduce((a, b) => a + b, 0) * (rate / 8192);
    if (Math.abs(area - 1) > 1e-3) t.fail(`band ${band} has area ${area}`);
  }
  const stereo = new Float32Array(2 * rate);
  for (let i = 0; i < rate; i++) stereo[2 * i] = 2 * tone.data[i];
  const mixed = logMel(soundOf(stereo, rate, 2), { bands: 40 });
  t.deepEqual([...mixed.data], [...data], 'channels are mixed');
  const silence = logMel(soundOf(new Float32Array(4000), 8000));
  t.ok(
    silence.data.every(value => Math.abs(value + 100) < 1e-4),
    'silence has the least level',
  );
  t.end();
});

test('log-mel: among other operations', t => {
  const sound = soundOf(
    Float32Array.from({ length: 8000 }, (_, i) => Math.sin(i * i * 1e-4)),
    8000,
  );
  sound.annotations = [{ at: 0.5, label: 'word' }];
  const operations: Operation[] = [
    { resample: { rate: 4000 } },
    { logMel: { bands: 20 } },
    { normalise: { method: 'zscore', per: 'channel' } },
    { crop: { size: 64 } },
  ];
  const { data: _, ...header } = sound;
  const planned = planOperations(header, operations);
  const { field, preparation } = applyOperations(sound, operations);
  t.deepEqual([planned.shape, planned.kind, planned.axes], [field.shape, field.kind, field.axes]);
  t.deepEqual(field.shape, [64, 20]);
  const mean = field.data.filter((_value, i) => i % 20 === 3).reduce((a, b) => a + b, 0) / 64;
  t.ok(Math.abs(mean) < 0.5, 'every band by itself');
  const track = preparation.tracks[0];
  t.ok(Math.abs(track.step - 80) < 1e-9, 'a frame every 80 samples of the sound');
  const [word] = planned.annotations!;
  t.ok(Math.abs(word.at - (0.5 - track.start / 8000)) < 0.006, 'annotations stay in their place');

  const refuse = (settings: NonNullable<Operation['logMel']>, pattern: RegExp, of = header): void => {
    try {
      planOperations(of, [{ logMel: settings }]);
      t.fail('was not refused');
    } catch (error) {
      const message = error instanceof NdconvError ? error.message : 'no NdconvError';
      t.ok(pattern.test(message), message);
    }
  };
  refuse({ high: 5000 }, /logMel\.high: 5000 Hz are above half the sample rate of 8000/);
  refuse({ low: 3000, high: 2000 }, /logMel\.low: the band from 3000 to 2000 Hz is none/);
  refuse({ hop: 1e-5 }, /logMel\.hop: 0.00001 s are 0 samples at 8000 Hz/);
  const image = {
    ...header,
    kind: 'image' as const,
    shape: [4, 4, 3],
    axes: [header.axes[0], header.axes[0]],
  };
  refuse({}, /of kind image with 2 dimensions/, image);
  t.end();
});
