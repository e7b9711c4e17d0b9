import test from 'tape';
import { percentileWindow, toByte } from '../../src/report/window.ts';
import { makeField } from './sample-fields.ts';

test('the window spans the 1st to the 99th percentile of all fields together', t => {
  const ramp = makeField('volume', [10, 10, 101, 1], i => i);
  const { low, high } = percentileWindow([ramp]);
  t.ok(Math.abs(low - 101) <= 1 && Math.abs(high - 9998) <= 2, `${low} to ${high}`);
  const above = makeField('volume', [10, 10, 101, 1], i => 10100 + i);
  const both = percentileWindow([ramp, above]);
  t.ok(Math.abs(both.low - 202) <= 3 && Math.abs(both.high - 19998) <= 4, `${both.low} to ${both.high}`);
  t.end();
});

test('a large field counts no more than a small one', t => {
  const small = makeField('array', [1000, 1], () => 5);
  const large = makeField('array', [1_000_000, 1], i => (i % 2 === 0 ? 0 : 1));
  const { low, high } = percentileWindow([small, large]);
  t.deepEqual([low, high], [0, 5]);
  t.end();
});

test('masks, constants, and fields without finite samples have a window too', t => {
  const mask = makeField('volume', [10, 10, 10, 1], i => (i === 500 ? 1 : 0));
  t.deepEqual(percentileWindow([mask]), { low: 0, high: 1, rule: 'lowest to highest sample' });
  const constant = percentileWindow([makeField('volume', [4, 4, 4, 1], () => -7)]);
  t.ok(constant.low === -7 && constant.high > -7);
  const nothing = percentileWindow([makeField('volume', [2, 2, 2, 1], () => Number.NaN)]);
  t.ok(nothing.high > nothing.low);
  const holes = percentileWindow([
    makeField('volume', [10, 10, 10, 1], i => (i % 3 === 0 ? Number.NaN : i % 3 === 1 ? Infinity : i)),
  ]);
  t.ok(holes.low >= 2 && holes.high <= 998, 'values that are not finite do not count');
  t.end();
});

test('bytes', t => {
  const window = { low: -100, high: 155, rule: '' };
  t.deepEqual(
    [-1e9, -100, -99, 0, 155, 1e9, Number.NaN, Infinity].map(value => toByte(value, window)),
    [0, 0, 1, 100, 255, 255, 0, 255],
  );
  t.end();
});
