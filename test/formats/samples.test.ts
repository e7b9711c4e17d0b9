// Numbers in files and volumes in space, by property: encoding and decoding undo each other, clipping is exact, and
// frames survive LPS, RAS and quaternions.

import * as fc from 'fast-check';
import test from 'tape';
import {
  affineOf,
  type Frame,
  frameOf,
  isUsable,
  quaternionOf,
  quaternionSteps,
  swapLps,
} from '../../src/formats/affine.ts';
import {
  bytesOf,
  channelsFirst,
  channelsLast,
  decodeSamples,
  encodeSamples,
  halfToNumber,
  rangeOf,
  type SampleType,
  scaledSampleType,
} from '../../src/formats/samples.ts';
import { counting, largestDifference } from './support.ts';

const integers: SampleType[] = ['int8', 'uint8', 'int16', 'uint16', 'int24', 'int32', 'uint32'];

test('samples: integers come back, and what lies outside is set to the nearest and counted', t => {
  for (const type of integers) {
    const [min, max] = rangeOf(type)!;
    const inside = fc.integer({ min: Math.max(min, -(2 ** 24)), max: Math.min(max, 2 ** 24) });
    fc.assert(
      fc.property(fc.array(inside), values => {
        const { bytes, clipped } = encodeSamples(Float32Array.from(values), type);
        return (
          clipped === 0 &&
          bytes.length === values.length * bytesOf[type] &&
          largestDifference(decodeSamples(bytes, type, values.length), values) === 0
        );
      }),
    );
    const outside = Float32Array.of(2 * min - 1, 2 * max + 2, 0);
    const { bytes, clipped } = encodeSamples(outside, type);
    t.equal(clipped, 2, type);
    t.ok(largestDifference(decodeSamples(bytes, type, 3), Float32Array.of(min, max, 0)) === 0);
  }
  t.end();
});

test('samples: any byte order, alignment and scale', t => {
  const view = new DataView(new ArrayBuffer(64));
  view.setInt16(1, -300, false);
  view.setFloat32(9, 2.5, false);
  view.setBigInt64(17, -(2n ** 40n), false);
  const at = (offset: number) => new Uint8Array(view.buffer, offset);
  t.equal(decodeSamples(at(1), 'int16', 1, { littleEndian: false })[0], -300);
  t.equal(decodeSamples(at(9), 'float32', 1, { littleEndian: false, scale: 2, offset: 1 })[0], 6);
  t.equal(decodeSamples(at(17), 'int64', 1, { littleEndian: false })[0], -(2 ** 40));
  t.throws(() => decodeSamples(at(60), 'float64', 1), RangeError);
  t.end();
});

test('samples: half precision, all 65536 numbers', t => {
  // Against the definition, and against each other: as long as they grow, the values grow with the bits.
  let previous = -1;
  for (let bits = 0; bits < 0x7c00; bits++) {
    const value = halfToNumber(bits);
    if (!(value > previous) || halfToNumber(bits | 0x8000) !== -value) t.fail(`${bits} gives ${value}`);
    previous = value;
  }
  t.deepEqual(
    [halfToNumber(0x3c00), halfToNumber(0x7bff), halfToNumber(0x0001), halfToNumber(0xfc00)],
    [1, 65504, 2 ** -24, Number.NEGATIVE_INFINITY],
  );
  t.ok(Number.isNaN(halfToNumber(0x7c01)));
  t.end();
});

test('samples: channels move from slow to fast and back', t => {
  t.deepEqual([...channelsLast(counting(6), 3, 2)], [0, 3, 1, 4, 2, 5]);
  t.deepEqual([...channelsFirst(channelsLast(counting(24), 8, 3), 8, 3)], [...counting(24)]);
  t.end();
});

test('samples: what an intercept does to the type', t => {
  t.equal(scaledSampleType('uint16', 1, -1024, Float32Array.of(-1024, 3071)), 'int16');
  t.equal(scaledSampleType('uint16', 1, -1024, Float32Array.of(-1024, 60000)), 'int32');
  t.equal(scaledSampleType('int16', 1, 0, Float32Array.of(5)), 'int16');
  t.equal(scaledSampleType('int16', 0.5, 0, Float32Array.of(5)), 'float32');
  t.equal(scaledSampleType('int64', 1, 0, Float32Array.of(5)), 'float64');
  t.end();
});

const number = fc.double({ min: -100, max: 100, noNaN: true });
const vector = fc.tuple(number, number, number);
const frame: fc.Arbitrary<Frame> = fc.record({ origin: vector, steps: fc.tuple(vector, vector, vector) });

test('affine: frames come back from array order and from LPS', t => {
  fc.assert(
    fc.property(frame, given => {
      const back = frameOf(affineOf(given));
      const turned = swapLps(swapLps(given));
      const flat = (f: Frame) => [...f.origin, ...f.steps.flat()];
      return (
        largestDifference(flat(back), flat(given)) === 0 && largestDifference(flat(turned), flat(given)) === 0
      );
    }),
  );
  t.notOk(
    isUsable({
      origin: [0, 0, 0],
      steps: [
        [1, 0, 0],
        [2, 0, 0],
        [0, 0, 1],
      ],
    }),
  );
  t.notOk(
    isUsable({
      origin: [Number.NaN, 0, 0],
      steps: [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
    }),
  );
  t.end();
});

test('affine: rotations go through quaternions', t => {
  const part = fc.double({ min: -1, max: 1, noNaN: true });
  fc.assert(
    fc.property(part, part, part, part, fc.constantFrom(-1, 1), (w, x, y, z, handed) => {
      const length = Math.hypot(w, x, y, z);
      fc.pre(length > 0.1);
      const sign = w < 0 ? -1 : 1;
      const [b, c, d] = [x, y, z].map(value => (sign * value) / length);
      const steps = quaternionSteps(b, c, d, [0.5, 2, 3], handed);
      const found = quaternionOf(steps)!;
      const again = quaternionSteps(found.b, found.c, found.d, [0.5, 2, 3], found.handed);
      return found.handed === handed && largestDifference(again.flat(), steps.flat()) < 1e-6;
    }),
    { numRuns: 500 },
  );
  t.equal(
    quaternionOf([
      [1, 0.2, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]),
    undefined,
    'a shear has none',
  );
  t.end();
});
