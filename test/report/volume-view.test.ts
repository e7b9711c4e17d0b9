import test from 'tape';
import type { Field } from '../../src/formats/field.ts';
import { createRandom } from '../../src/random.ts';
import { slicePlane, viewGrid } from '../../src/report/grid.ts';
import { renderVolume } from '../../src/report/volume-view.ts';
import { toByte } from '../../src/report/window.ts';
import { makeField, pixelsOf, unbalanced, urisOf } from './sample-fields.ts';

const window = { low: 0, high: 300, rule: 'test' };
const viewOf = (html: string) => JSON.parse(/data-view="([^"]*)"/.exec(html)![1].replaceAll('&quot;', '"'));

/** Array order z, y, x; x runs to the patient's left, y to the back, z up. */
const affine: Field['affine'] = {
  origin: [20, 30, -40],
  direction: [
    [0, 0, -2],
    [0, -1, 0],
    [3, 0, 0],
  ],
};
const scan = makeField('volume', [6, 9, 11, 1], i => (i * 7) % 301, { affine, valueUnit: 'HU' });

test('the three planes in the page are the middle slices, pixel for pixel', async t => {
  const { html, notes } = await renderVolume(scan, 0, window, 1e6, 'a <scan>', 'link');
  t.deepEqual(unbalanced(html), []);
  t.deepEqual(notes, []);
  const [mosaic, ...planes] = urisOf(html, 'image/png');
  t.equal(planes.length, 3);
  const grid = viewGrid(scan, 0);
  for (const [axis, uri] of planes.entries()) {
    const pixels = await pixelsOf(uri);
    const expected = [...slicePlane(grid, axis, [3, 4, 5][axis])].map(value => toByte(value, window));
    t.deepEqual([...pixels.data], expected, `plane ${axis}, ${pixels.width} × ${pixels.height}`);
  }
  const view = viewOf(html);
  t.deepEqual(
    [view.copy, view.factors, view.middle],
    [
      [6, 9, 11],
      [1, 1, 1],
      [3, 4, 5],
    ],
  );
  const tiles = await pixelsOf(mosaic);
  let wrong = 0;
  for (let i = 0; i < 6; i++) {
    const [left, top] = [(i % view.columns) * 11, Math.floor(i / view.columns) * 9];
    const plane = slicePlane(grid, 0, i);
    plane.forEach((value, at) => {
      if (tiles.data[(top + Math.floor(at / 11)) * tiles.width + left + (at % 11)] !== toByte(value, window))
        wrong++;
    });
  }
  t.equal(wrong, 0, 'every plane of the copy lies in its tile');
});

test('directions, proportions, crosshairs and descriptions', async t => {
  const { html } = await renderVolume(scan, 0, window, 1e6, 'a <scan>', 'link');
  const planes = html.split('<div class="plane"').slice(1);
  const marks = planes.map(plane =>
    [...plane.matchAll(/class="edge (\w+)"[^>]*>(\w)</g)]
      .map(([, side, mark]) => `${side} ${mark}`)
      .join(', '),
  );
  t.deepEqual(marks, [
    'left R, right L, top A, bottom P',
    'left R, right L, top S, bottom I',
    'left A, right P, top S, bottom I',
  ]);
  const shapes = planes.map(plane => /aspect-ratio: ?([\d.]+)\/([\d.]+)/.exec(plane)!.slice(1).map(Number));
  t.deepEqual(
    shapes,
    [
      [22, 9],
      [22, 18],
      [9, 18],
    ],
    'millimetres',
  );
  t.ok(planes[0].includes('alt="a &lt;scan&gt;: axial plane, slice 4 of 6"'));
  t.ok(planes[1].includes('aria-label="a &lt;scan&gt;: coronal slice"'));
  const [x, y, z] = [20 - 2 * 5, 30 - 4, -40 + 3 * 2];
  t.ok(html.includes(`x ${x}.0, y ${y}.0, z −${-z}.0 mm`), 'the place of the crosshair in the world');
  t.ok(planes[0].includes('left:50.000%') && planes[1].includes(`top:${((100 * 3.5) / 6).toFixed(3)}%`));
  t.end();
});

test('a large volume is reduced to its room and says so', async t => {
  const random = createRandom(5, 'volume view test');
  const large = makeField('volume', [60, 128, 128, 1], () => 300 * random.uniform());
  for (const bytes of [400_000, 60_000]) {
    const { html, notes } = await renderVolume(large, 0, window, bytes, 'noise', 'link');
    t.ok(html.length < bytes * 1.1 + 4000, `${html.length} of ${bytes} bytes`);
    const { copy } = viewOf(html);
    t.ok(
      notes.some(note => note.includes(`reduced to ${[...copy].reverse().join(' × ')} voxels`)),
      notes.join(' '),
    );
  }
});

test('flat, tiny and extra-dimensional volumes', async t => {
  for (const shape of [
    [1, 1, 1, 1],
    [1, 40, 30, 1],
    [2, 3, 4, 5, 1],
    [2, 2, 3, 4, 5, 2],
  ]) {
    const { html, notes } = await renderVolume(
      makeField('array', shape, i => i),
      0,
      window,
      1e5,
      'it',
      'link',
    );
    t.deepEqual(unbalanced(html), []);
    t.equal(urisOf(html, 'image/png').length, 4, `[${shape}] ${notes.join(' ')}`);
    t.notOk(html.includes('class="edge'), 'no directions without an affine');
  }
});
