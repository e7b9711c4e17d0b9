// Averaging down: which shape, which values, and where they lie in the world.

import test from 'tape';
import type { Field } from '../../src/formats/field.ts';
import { shrink, shrunkShape } from '../../src/formats/shrink.ts';

const axis = (name: string, spacing: number, unit = 'mm') => ({ name, spacing, unit });

test('shrunkShape: proportions are kept, small fields stay', t => {
  const axes = [axis('y', 1, 'px'), axis('x', 1, 'px')];
  t.deepEqual(shrunkShape({ shape: [200, 100, 3], axes }, 50), [50, 25, 3]);
  t.deepEqual(shrunkShape({ shape: [40, 30, 3], axes }, 50), [40, 30, 3]);
  t.deepEqual(shrunkShape({ shape: [1000, 1, 1], axes }, 10), [10, 1, 1]);
  t.end();
});

test('shrunkShape: thick slices stay until the others are as thick', t => {
  const axes = [axis('z', 7), axis('y', 0.875), axis('x', 0.875)];
  t.deepEqual(shrunkShape({ shape: [20, 256, 256, 1], axes }, 64), [20, 64, 64, 1]);
  t.deepEqual(shrunkShape({ shape: [20, 256, 256, 1], axes }, 16), [10, 16, 16, 1]);
  t.end();
});

test('shrink: means of what is merged, spacing and position with it', t => {
  const field: Field = {
    kind: 'volume',
    shape: [2, 4, 4, 1],
    data: Float32Array.from({ length: 32 }, (_, i) => i),
    axes: [axis('z', 2), axis('y', 1), axis('x', 1)],
    source: 'test',
    valueUnit: '',
    sampleType: 'int16',
    affine: {
      origin: [10, 20, 30],
      direction: [
        [0, 0, 1],
        [0, 1, 0],
        [2, 0, 0],
      ],
    },
  };
  const small = shrink(field, 2);
  t.deepEqual(small.shape, [2, 2, 2, 1]);
  t.deepEqual([...small.data], [2.5, 4.5, 10.5, 12.5, 18.5, 20.5, 26.5, 28.5]);
  t.deepEqual(
    small.axes.map(a => a.spacing),
    [2, 2, 2],
  );
  t.deepEqual(small.affine?.origin, [10.5, 20.5, 30], 'the middle of the first four voxels');
  t.deepEqual(small.affine?.direction, [
    [0, 0, 2],
    [0, 2, 0],
    [2, 0, 0],
  ]);
  t.end();
});
