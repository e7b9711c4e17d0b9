import test from 'tape';
import type { Field } from '../../src/formats/field.ts';
import { describeField, renderFields, viewOf } from '../../src/report/fields.ts';
import { makeField, makeSound, pixelsOf, unbalanced, urisOf } from './sample-fields.ts';

const show = (...fields: Field[]) =>
  renderFields(
    { type: 'fields', items: fields.map((field, i) => ({ label: `item ${i}`, field })) },
    1e6,
    '0.0',
  );

test('the view follows from kind, rank and channels', t => {
  const cases: [Field, string][] = [
    [makeSound(0.1, 8000), 'sound'],
    [makeField('sound', [10, 1], () => 0), 'signal'],
    [makeField('image', [2, 3, 3], () => 0), 'image'],
    [makeField('image', [2, 3, 7], () => 0), 'heat'],
    [makeField('volume', [2, 3, 4, 1], () => 0), 'volume'],
    [makeField('volume', [2, 3, 1], () => 0), 'heat'],
    [makeField('array', [128], () => 0), 'signal'],
    [makeField('array', [9, 3], () => 0), 'signal'],
    [makeField('array', [9, 300], () => 0), 'heat'],
    [makeField('array', [2, 2, 2, 2, 2, 1], () => 0), 'volume'],
    [makeField('array', [0, 3], () => 0), 'empty'],
  ];
  for (const [field, view] of cases) t.equal(viewOf(field), view, `${field.kind} [${field.shape}]`);
  t.end();
});

test('fields are described in the words of their kind', t => {
  const mm = ['z', 'y', 'x'].map((name, i) => ({ name, spacing: [5, 0.8, 0.8][i], unit: 'mm' }));
  t.equal(describeField(makeSound(1.5, 44100, 2)), '1.5 s, 44.1 kHz, stereo, int16');
  t.equal(
    describeField(makeField('image', [20, 30, 3], () => 0, { sampleType: 'uint8' })),
    '30 × 20 pixels, RGB, uint8',
  );
  t.equal(
    describeField(makeField('volume', [4, 6, 8, 1], () => 0, { axes: mm })),
    '8 × 6 × 4 voxels, 0.8 × 0.8 × 5 mm, float32',
  );
  t.equal(describeField(makeField('array', [4, 6, 2], () => 0)), '4 × 6, 2 channels, float32');
  t.end();
});

test('before and after share one window, and the page states it', async t => {
  const before = makeField('volume', [3, 3, 3, 1], i => i);
  const after = makeField('volume', [3, 3, 3, 1], i => 2 * i);
  const html = await show(before, after);
  t.deepEqual(unbalanced(html), []);
  t.ok(/Grey from 0 to 5\d \(1st to 99th percentile\), the same for all\./.test(html));
  const planes = urisOf(html, 'image/png');
  t.equal(planes.length, 8);
  // The first voxel of the middle plane across the first axis is 9 before and 18 after.
  const [first, second] = await Promise.all(
    [planes[1], planes[5]].map(async uri => (await pixelsOf(uri)).data[0]),
  );
  t.ok(Math.abs(second / first - 2) < 0.05, `${first} before, ${second} after`);
  const links = [...html.matchAll(/&quot;link&quot;:&quot;(.*?)&quot;[},]/g)].map(match => match[1]);
  t.ok(links.length === 2 && links[0] === links[1], 'volumes on like grids page together');
});

test('fields of different units or kinds do not share a window', async t => {
  const ct = makeField('volume', [3, 3, 3, 1], i => 1000 * i, { valueUnit: 'HU' });
  const mask = makeField('volume', [3, 3, 3, 1], i => i % 2);
  const html = await show(
    ct,
    mask,
    makeField('array', [3, 3, 1], i => i),
  );
  t.ok(
    /Grey from 0 to 26000 HU/.test(html) &&
      /Grey from 0 to 1 \(/.test(html) &&
      /Colours .* from 0 to 8 \(/.test(html),
  );
  t.notOk(html.includes('the same for all'));
});

test('images keep their values whatever stands beside them, and small ones are enlarged', async t => {
  const html = await show(
    makeField('image', [4, 4, 1], () => 0.25),
    makeField('image', [300, 300, 1], () => 1.5),
  );
  const [small, large] = urisOf(html, 'image/png');
  t.equal((await pixelsOf(small)).data[0], 64);
  t.equal((await pixelsOf(large)).data[0], 255);
  t.ok(html.includes('class="image sharp"') && html.includes('width="256" height="256"'));
  t.ok(html.includes('100 % of the samples lie outside black to white and are clipped.'));
});

test('a field without samples is said to be empty', async t => {
  t.ok(
    (await show(makeField('image', [0, 5, 3], () => 0))).includes('Nothing to show: the shape is [0, 5, 3].'),
  );
});

test('a field whose range is lost in the window of others gets its own', async t => {
  const scan = makeField('volume', [6, 6, 6, 1], i => i * 10);
  const same = makeField('volume', [6, 6, 6, 1], i => i * 9);
  const texture = makeField('volume', [6, 6, 6, 1], i => (i % 7) / 7);
  const html = await renderFields(
    {
      type: 'fields',
      items: [
        { label: 'content', field: scan },
        { label: 'texture', field: texture },
        { label: 'result', field: same },
      ],
    },
    1e6,
    'x',
  );
  t.match(html, /Grey from 1\d\.?\d* to 2\d{3}.* in content, result/, 'two share a window');
  t.match(html, /Grey from 0 to 0\.857.* in texture/, 'the third has its own');
  t.end();
});
