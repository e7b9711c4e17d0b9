// Units on a page, in a browser where there is one: patches of every kind of input are seen and named, what lies beyond an
// input is left open, frames in slices of a turned volume lie where the patch is, and lead to its viewer.

import test from 'tape';
import type { Field } from '../../src/formats/field.ts';
import { renderReport } from '../../src/report/html.ts';
import { type PatchDrawing, renderPatch } from '../../src/report/patch-view.ts';
import type { UnitEntry } from '../../src/report/units-view.ts';
import { browser, visit } from './browser.ts';
import { makeField, makeSound } from './sample-fields.ts';

/** A field within a box. */
function within(field: Field, from: number[], to: number[]): Field {
  const shape = [...from.map((start, axis) => to[axis] - start), field.shape.at(-1)!];
  const data: number[] = [];
  const walk = (axis: number, index: number): void => {
    if (axis === from.length) {
      for (let c = 0; c < shape.at(-1)!; c++) data.push(field.data[index * shape.at(-1)! + c]);
      return;
    }
    for (let p = from[axis]; p < to[axis]; p++) walk(axis + 1, index * field.shape[axis] + p);
  };
  walk(0, 0);
  return { ...field, shape, data: Float32Array.from(data) };
}

const clip = (p: number, n: number) => Math.max(0, Math.min(n, p));

function drawing(input: Field, from: number[], to: number[], more: Partial<PatchDrawing> = {}): PatchDrawing {
  const inside = {
    from: from.map((p, axis) => clip(p, input.shape[axis])),
    to: to.map((p, axis) => clip(p, input.shape[axis])),
  };
  const part = within(input, inside.from, inside.to);
  return {
    input,
    box: { from, to },
    inside,
    part,
    signed: false,
    alt: 'a patch',
    side: 64,
    bytes: 20_000,
    ...more,
  };
}

const entry = (name: string, drawings: string[]): UnitEntry => ({
  name,
  facts: ['sparsity 0.5'],
  histogram: { low: 0, high: 2, counts: [9, 3, 1] },
  responses: [
    { label: '<b>', mean: 2, inputs: 1 },
    { label: 'b', mean: 1, inputs: 3 },
  ],
  rows: drawings.map((_, i) => `row ${i}`),
  parts: [{ value: 1.5, source: '<i>', place: 'x 1–2', drawings }],
});

// A volume whose axes run to the left, up and to the back: all are turned for viewing.
const place = [5, 2, 9];
const turned = makeField('volume', [8, 9, 12, 1], i => (i === (5 * 9 + 2) * 12 + 9 ? 1 : 0), {
  affine: {
    origin: [0, 0, 0],
    direction: [
      [0, 2, 0],
      [0, 0, 2],
      [2, 0, 0],
    ],
  },
});

interface Seen {
  broken: number;
  unnamed: number;
  patch: { left: string; top: string; width: string; height: string };
  band: [number, number];
  audio: string;
  frames: { brightest: [number, number]; frame: number[] }[];
  numbers: string[];
  focus: string;
  headings: string[];
  overflow: boolean;
}

test('units on a page', { skip: browser ? false : 'no Chromium in PATH' }, async t => {
  const image = makeField('image', [20, 24, 3], i => (i % 7) / 7);
  const signal = makeField('signal', [100, 1], i => Math.sin(i / 5));
  const units = [
    entry('unit 1', [
      await renderPatch(drawing(image, [-4, 6], [12, 22])),
      await renderPatch(drawing(image, [-4, 6], [12, 22], { signed: true })),
    ]),
    entry('unit 2', [await renderPatch(drawing(signal, [40], [60]))]),
    entry('unit 3', [await renderPatch(drawing(makeSound(1, 8000), [100], [900]))]),
    entry('unit 4', [
      await renderPatch(
        drawing(
          turned,
          place.map(p => p - 1),
          place.map(p => p + 2),
          { viewer: 'scan' },
        ),
      ),
      await renderPatch(
        drawing(
          turned,
          place.map(p => p - 1),
          place.map(p => p + 2),
          { signed: true },
        ),
      ),
    ]),
    { ...entry('unit 5', []), parts: [] },
  ];
  const html = await renderReport(
    'units',
    [
      { title: 'Inputs', blocks: [{ type: 'fields', items: [{ label: 'scan', field: turned }] }] },
      { title: 'layer', blocks: [{ type: 'units', units }] },
    ],
    {},
  );
  t.match(html, /&lt;i&gt;/, 'names are escaped');
  t.notOk(html.includes('<i>'), 'and nothing else');
  t.match(html, /No input excites it\./);
  const seen = await visit<Seen>(
    html,
    `
    const all = selector => [...document.querySelectorAll(selector)];
    const pictures = all('img:not([hidden])');
    await Promise.all(pictures.map(picture => picture.decode().catch(() => {})));
    const style = all('.unit')[0].querySelector('.patch > div').style;
    const band = all('.unit')[1].querySelector('.field-band');
    const frames = [];
    for (const patch of [...all('.unit')[3].querySelectorAll('tr:first-child .patch')]) {
      const picture = patch.querySelector('img');
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
      const pen = canvas.getContext('2d');
      pen.drawImage(picture, 0, 0);
      const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
      let best = 0;
      for (let i = 0; i < data.length; i += 4) if (data[i] > data[best]) best = i;
      const cell = best / 4;
      const frame = patch.querySelector('.field-frame').style;
      frames.push({
        brightest: [(cell % canvas.width + 0.5) / canvas.width, (Math.floor(cell / canvas.width) + 0.5) / canvas.height],
        frame: ['left', 'top', 'width', 'height'].map(side => parseFloat(frame[side]) / 100),
      });
    }
    document.querySelector('[data-goto]').click();
    await new Promise(done => setTimeout(done, 300));
    return {
      broken: pictures.filter(picture => picture.naturalWidth === 0).length,
      unnamed: all('.unit img, .unit svg').filter(each => !(each.alt || each.getAttribute('aria-label'))).length,
      patch: { left: style.left, top: style.top, width: style.width, height: style.height },
      band: [band.x.baseVal.value, band.width.baseVal.value],
      audio: all('.unit audio')[0].src.slice(0, 20),
      frames,
      numbers: all('.viewer .slice-number').map(number => number.textContent),
      focus: document.activeElement.className,
      headings: all('h3').map(heading => heading.textContent),
      overflow: document.documentElement.scrollWidth > innerWidth,
    };`,
  );
  t.equal(seen.error, undefined);
  t.equal(seen.broken, 0, 'every picture is seen');
  t.equal(seen.unnamed, 0, 'every picture and drawing has a name');
  t.deepEqual(
    seen.patch,
    { left: '0%', top: '25%', width: '100%', height: '75%' },
    'beyond the input is open',
  );
  t.deepEqual(seen.band.map(Math.round), [60, 30], '40 to 60 of 100 samples are shaded');
  t.equal(seen.audio, 'data:audio/wav;base6');
  t.equal(seen.frames.length, 3);
  for (const { brightest, frame } of seen.frames) {
    const middle = [frame[0] + frame[2] / 2, frame[1] + frame[3] / 2];
    t.ok(
      Math.hypot(brightest[0] - middle[0], brightest[1] - middle[1]) < 0.02,
      'the frame is around the place',
    );
  }
  // Viewing order: axis 0 runs up and is turned, axis 2 to the back … each from its own end.
  t.deepEqual(seen.numbers, [`${8 - place[0]} of 8`, `${12 - place[2]} of 12`, `${9 - place[1]} of 9`]);
  t.equal(seen.focus, 'pager', 'the keyboard goes on in the viewer');
  t.deepEqual(
    seen.headings,
    units.map(({ name }) => name),
  );
  t.notOk(seen.overflow, 'wide tables scroll by themselves');
});
