// Preparing fields of every rank: where samples go, that spacing and place in the world follow them, that what was done
// can be taken back, and the step with `save` undoing it.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import test from 'tape';
import { NdconvError } from '../../src/errors.ts';
import type { Field } from '../../src/formats/field.ts';
import { readField, writeField } from '../../src/formats/index.ts';
import { checkPipeline, PipelineError, runPipeline } from '../../src/pipeline/index.ts';
import { excerpt } from '../../src/prepare/excerpt.ts';
import { type Operation, planOperations } from '../../src/prepare/operations.ts';
import { applyOperations } from '../../src/prepare/run.ts';
import { undo } from '../../src/prepare/undo.ts';
import { windowAround } from '../../src/prepare/window-around.ts';
import {
  largestDifference,
  makeArray,
  makeEcg,
  makeImage,
  makeSound,
  makeVolume,
} from '../formats/support.ts';

/** World position of an index of a field. */
const placeOf = ({ affine }: Field, index: number[]): number[] =>
  affine!.origin.map((at, row) => at + index.reduce((sum, i, a) => sum + i * affine!.direction[row][a], 0));

/** A volume whose values are a linear function of the world position, so that values tell where samples lie. */
const ramp = (field: Field): Field => {
  const [depth, height, width] = field.shape;
  const data = new Float32Array(field.data.length);
  for (let z = 0, at = 0; z < depth; z++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) data[at++] = worldValue(placeOf(field, [z, y, x]));
  return { ...field, data };
};
const worldValue = ([x, y, z]: number[]): number => 3 * x - 2 * y + z;

const prepared = (field: Field, ...operations: Operation[]): Field =>
  applyOperations(field, operations).field;

test('prepare: samples keep their place in the world, whatever is done to the grid', t => {
  const volume = ramp(makeVolume(8, 9, 10));
  const cases: [string, Operation[]][] = [
    ['crop', [{ crop: { from: [1, 2, 3], to: [7, 8, 9] } }]],
    ['pad', [{ pad: { low: [1, 0, 2], high: 1, mode: 'replicate' } }]],
    ['flip', [{ flip: { axes: ['z', 'x'] } }]],
    ['finer', [{ resample: { spacing: [1, 0.5, 0.25] } }]],
    ['coarser', [{ resample: { spacing: [4, 1.5, 1.2] } }]],
    ['to a size', [{ resample: { size: [5, 18, 7] } }]],
    [
      'all',
      [
        { flip: { axes: [1] } },
        { resample: { spacing: 1 } },
        { crop: { size: 5 } },
        { pad: { size: 6, mode: 'replicate' } },
      ],
    ],
  ];
  for (const [name, operations] of cases) {
    const field = prepared(volume, ...operations);
    t.deepEqual(planOperations(volume, operations).shape, field.shape, `${name}: the plan says the shape`);
    // In the middle nothing touches an edge.
    const index = field.shape.slice(0, 3).map(n => Math.floor(n / 2));
    const at = (index[0] * field.shape[1] + index[1]) * field.shape[2] + index[2];
    const expected = worldValue(placeOf(field, index));
    t.ok(Math.abs(field.data[at] - expected) < 1e-3, `${name}: ${field.data[at]} at ${expected}`);
    const lengths = [0, 1, 2].map(a => Math.hypot(...field.affine!.direction.map(row => row[a])));
    t.ok(
      largestDifference(
        lengths,
        field.axes.map(axis => axis.spacing),
      ) < 1e-9,
      `${name}: spacing`,
    );
  }
  t.end();
});

test('prepare: exact values in rank 1 to 4', t => {
  const line = makeArray(5);
  const of = (...operations: Operation[]): number[] => [...prepared(line, ...operations).data];
  t.deepEqual(of({ crop: { from: 1, to: 4 } }), [1.5, 2.5, 3.5]);
  t.deepEqual(of({ crop: { size: 3 } }), [1.5, 2.5, 3.5]);
  t.deepEqual(of({ pad: { low: 2, high: 1, mode: 'reflect' } }), [2.5, 1.5, 0.5, 1.5, 2.5, 3.5, 4.5, 3.5]);
  t.deepEqual(of({ pad: { low: 1, high: 1, value: -1 } }), [-1, 0.5, 1.5, 2.5, 3.5, 4.5, -1]);
  t.deepEqual(of({ pad: { multiple: 4 } }), [0, 0.5, 1.5, 2.5, 3.5, 4.5, 0, 0]);
  t.deepEqual(of({ flip: { axes: [0] } }), [4.5, 3.5, 2.5, 1.5, 0.5]);
  t.deepEqual(of({ normalise: { method: 'minmax' } }), [0, 0.25, 0.5, 0.75, 1]);
  t.deepEqual(of({ window: { centre: 2.5, width: 2 } }), [0, 0, 0.5, 1, 1]);
  t.deepEqual(of({ normalise: { method: 'percentile', low: 25, high: 75 } }), [0, 0, 0.5, 1, 1]);
  const zscore = of({ normalise: { method: 'zscore' } });
  t.ok(
    largestDifference(
      zscore,
      [-2, -1, 0, 1, 2].map(v => v / Math.SQRT2),
    ) < 1e-6,
  );
  t.deepEqual(of({ resample: { size: 9 } })[4], 2.5);
  const image = makeImage(4, 4, 2);
  const channels = prepared(image, { normalise: { method: 'zscore', per: 'channel' } });
  for (const c of [0, 1]) {
    const own = channels.data.filter((_, i) => i % 2 === c);
    t.ok(Math.abs(own.reduce((a, b) => a + b, 0)) < 1e-5, `channel ${c} has mean 0`);
  }
  const four = prepared(
    makeArray(2, 3, 4, 5),
    { crop: { from: [0, 1, 2, 3], to: [1, 2, 3, 4] } },
    { pad: { low: 1 } },
  );
  t.deepEqual(four.shape, [2, 2, 2, 2, 1]);
  t.equal(four.data[15], 0.5 + 1 * 20 + 2 * 5 + 3);
  t.end();
});

test('prepare: lowering the resolution removes what it cannot hold', t => {
  const stripes = {
    ...makeArray(64, 3),
    data: Float32Array.from({ length: 192 }, (_, i) => Math.floor(i / 3) % 2),
  };
  const low = prepared(stripes, { resample: { size: [16, 3] } });
  t.ok(
    low.data.subarray(6, 42).every(value => Math.abs(value - 0.5) < 0.01),
    'stripes of one sample become grey',
  );
  t.end();
});

test('prepare: sounds and signals', t => {
  const sound = makeSound(2205, 2);
  const half = prepared(sound, { resample: { rate: 11025 } });
  t.deepEqual([half.shape, half.axes[0].spacing], [[1103, 2], 1 / 11025]);
  const ecg = makeEcg();
  const [, beat] = prepared(ecg, { crop: { from: 5, to: 280 } }, { resample: { rate: 180 } }).annotations!;
  t.ok(Math.abs(beat.at - 95 / 360) < 1e-9, 'annotations move with what they mark');
  const turned = prepared(ecg, { flip: { axes: ['time'] } }).annotations!;
  t.ok(Math.abs(turned[0].at - (299 - 250) / 360) < 1e-9 && turned[0].label === 'V');
  t.deepEqual(
    excerpt(ecg, [[90, 200]]).annotations?.map(({ at, label }) => [Math.round(at * 360), label]),
    [[10, 'N']],
  );
  t.end();
});

test('prepare: windows around what is marked', t => {
  const ecg = makeEcg();
  const windows = ecg.annotations!.map(mark => windowAround(ecg, mark, 20, 30));
  t.deepEqual(
    windows.map(field => field?.shape),
    [undefined, [50, 2], [50, 2]],
    'those that reach beyond an end are left out',
  );
  t.equal(windows[1]!.data[40], ecg.data[200], 'the mark is at `before`');
  t.ok(Math.abs(windows[1]!.annotations![0].at - 20 / 360) < 1e-9);
  t.end();
});

test('undo: exact where nothing was interpolated, in any rank', t => {
  const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(sizes, fc.infiniteStream(fc.nat(3)), (shape, numbers) => {
      const next = (): number => numbers.next().value as number;
      const field = makeArray(...shape);
      const all: Operation[] = [
        { pad: { low: shape.map(next), high: shape.map(next), mode: 'replicate' } },
        { flip: { axes: shape.map((_, a) => a).filter(() => next() > 1) } },
        { window: { low: -100, high: 5000 } },
        { pad: { multiple: 4 } },
      ];
      const operations = all.filter(operation => operation.flip?.axes.length !== 0);
      const { field: result, preparation } = applyOperations(field, operations);
      const back = undo(result, preparation, { values: true });
      return (
        back.shape.join() === field.shape.join() &&
        largestDifference(back.data, field.data) < 2e-3 &&
        JSON.stringify(back.axes) === JSON.stringify(field.axes)
      );
    }),
    { seed: 4, numRuns: 60 },
  );
  t.end();
});

test('undo: what was cropped away, and what was resampled', t => {
  const volume = ramp(makeVolume(8, 9, 10));
  const { field, preparation } = applyOperations(volume, [
    { crop: { from: [2, 2, 2], to: [6, 8, 8] } },
    { pad: { low: 1, high: 1, mode: 'reflect' } },
    { normalise: { method: 'zscore' } },
  ]);
  const back = undo(field, preparation, { values: true, outside: -5 });
  t.deepEqual(back.affine, volume.affine);
  const [inside, out] = [(3 * 9 + 4) * 10 + 5, (1 * 9 + 4) * 10 + 5];
  t.ok(Math.abs(back.data[inside] - volume.data[inside]) < 1e-3);
  t.equal(back.data[out], -5, 'padding is not taken for what was cropped');
  t.ok(
    largestDifference(undo(field, preparation, { values: true, outside: volume }).data, volume.data) < 1e-3,
  );
  t.equal(back.valueUnit, 'HU');
  const coarse = applyOperations(volume, [{ resample: { spacing: [2, 1, 1] } }]);
  const finer = undo(coarse.field, coarse.preparation);
  t.ok(Math.abs(finer.data[inside] - volume.data[inside]) < 1e-2, 'a ramp survives');
  // A network that strides by two gives half the samples.
  const even = applyOperations(volume, [{ resample: { size: [4, 8, 6] } }]);
  const strided = prepared(even.field, { resample: { size: [2, 4, 3] } });
  const middle = undo(strided, even.preparation);
  t.deepEqual(middle.shape, volume.shape);
  t.ok(
    Math.abs(middle.data[(4 * 9 + 4) * 10 + 5] - volume.data[(4 * 9 + 4) * 10 + 5]) < 1,
    'a coarser result',
  );
  const labels = { ...coarse.field, data: coarse.field.data.map((_, i) => i % 3) };
  t.ok(
    undo(labels, coarse.preparation, { nearest: true }).data.every(value => [0, 1, 2].includes(value)),
    'nearest invents no labels',
  );
  t.throws(() => undo(makeArray(3), preparation), /1 spatial dimensions/);
  const sound = makeSound(2000, 1);
  const slow = applyOperations(sound, [{ crop: { from: 100, to: 1900 } }, { resample: { rate: 11025 } }]);
  const whole = undo(slow.field, slow.preparation, { outside: sound });
  t.ok(largestDifference(whole.data.subarray(300, 1700), sound.data.subarray(300, 1700)) < 1e-2, 'a sound');
  t.end();
});

test('prepare: what cannot be is said at its place', t => {
  const says = (operation: Operation, at: string, pattern: RegExp): void => {
    try {
      planOperations(makeVolume(8, 9, 10), [operation]);
      t.fail(String(pattern));
    } catch (error) {
      t.ok(error instanceof NdconvError && error.tag === 'ShapeError');
      t.match((error as Error).message, pattern);
      t.equal((error as NdconvError).fields.at!.toString(), at);
    }
  };
  says({ crop: { from: 3, to: 9 } }, '0,crop', /\[3, 9\] is no part of the 8 samples along z/);
  says({ crop: { size: [1, 2] } }, '0,crop,size', /2 numbers for 3 dimensions; give one for each of z, y, x/);
  says({ resample: { rate: 3 } }, '0,resample,rate', /only sounds and signals/);
  says({ resample: {} }, '0,resample', /give one of spacing, rate, size/);
  says({ flip: { axes: ['w'] } }, '0,flip,axes,0', /no axis w; there are z, y, x/);
  says({ window: { low: 3, high: 2 } }, '0,window', /3 to 2/);
  says({ crop: { size: 2 }, flip: { axes: [0] } }, '0', /crop and flip in one operation/);
  says({ pad: { low: 1, mode: 'reflect', value: 2 } }, '0,pad,value', /no effect/);
  t.throws(() => planOperations(makeSound(9, 1), [{ window: { preset: 'lung' } }]), /Hounsfield/);
  t.throws(
    () => prepared({ ...makeArray(3), data: new Float32Array(3) }, { normalise: { method: 'zscore' } }),
    /all 3 values/,
  );
  t.end();
});

test('prepare: in a pipeline, undone on saving', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'ndconv-prepare-'));
  test.onFinish(() => rmSync(folder, { recursive: true, force: true }));
  const volume = makeVolume(12, 12, 12);
  await writeField(volume, join(folder, 'scan.nii.gz'));
  const file = join(folder, 'p.yaml');
  const text = (
    save: string,
    operations = '[{ window: { low: -1000, high: 30000 } }, { crop: { size: 8 } }]',
  ) => `ndconv: 1
steps:
  - { id: scan, uses: load, with: { path: scan.nii.gz } }
  - { id: ready, uses: prepare, with: { input: "@scan", operations: ${operations} } }
  - { uses: save, with: { input: "@ready", path: out.nii.gz${save} } }
`;
  const problemsOf = async (...parts: Parameters<typeof text>): Promise<string> => {
    writeFileSync(file, text(...parts));
    return checkPipeline(file).then(
      () => '',
      error => (error instanceof PipelineError ? error.message : Promise.reject(error)),
    );
  };
  t.match(await problemsOf(', undo: "@ready.undo"'), /write undoValues: true/);
  t.match(await problemsOf(', nearest: true'), /no effect without undo/);
  t.match(await problemsOf(', undo: "@ready"'), /@ready is a field, but a preparation is needed/);
  t.match(await problemsOf('', '[{ crop: { from: 0, to: 13 } }]'), /no part of the 12 samples along z/);
  t.match(await problemsOf('', '[{ crop: { form: 0 } }]'), /form/);
  t.equal(await problemsOf('', '[{ window: { preset: lung } }]'), '', 'the scan is in HU');
  writeFileSync(file, text(', undo: "@ready.undo", undoValues: true, outside: "@scan"'));
  const out = join(folder, 'out');
  await runPipeline(file, { out, backend: 'reference' });
  const back = await readField(join(out, 'out.nii.gz'));
  t.deepEqual(back.shape, volume.shape);
  t.ok(largestDifference(back.data, volume.data) <= 1, 'values return to within rounding');
  t.ok(largestDifference(back.affine!.origin, volume.affine!.origin) < 1e-4);
});

test('channels by place and name, and their mean', t => {
  const ecg = makeEcg(30);
  const { field: second } = applyOperations(ecg, [{ channels: ['V5'] }]);
  t.deepEqual([second.shape, second.channelNames], [[30, 1], ['V5']]);
  t.deepEqual([...second.data], [...ecg.data.filter((_, i) => i % 2 === 1)]);
  t.equal(second.annotations!.length, ecg.annotations!.filter(({ at }) => at < 30 / 360).length);
  const turned = applyOperations(ecg, [
    { normalise: { method: 'zscore', per: 'channel' } },
    { channels: [1, 0] },
  ]);
  t.deepEqual(turned.field.channelNames, ['V5', 'MLII']);
  const back = undo(turned.field, turned.preparation, { values: true });
  t.ok(Math.abs(back.data[0] - ecg.data[1]) < 1e-5, 'every channel has its own values back');
  const mono = applyOperations(ecg, [{ channels: 'mono' }]).field;
  t.ok(Math.abs(mono.data[4] - (ecg.data[8] + ecg.data[9]) / 2) < 1e-6);
  t.throws(
    () => planOperations(ecg, [{ channels: ['V6'] }]),
    /channels\.0: there is no channel V6; there are 2, numbered from 0 \(MLII, V5\)/,
  );
  t.end();
});
