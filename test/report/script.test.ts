// The page's script in a real browser: a report is opened without a network, a visitor's actions are played in it,
// and what the page shows afterwards is compared with the data.

import { Script } from 'node:vm';
import test from 'tape';
import type { Field } from '../../src/formats/field.ts';
import { renderReport } from '../../src/report/html.ts';
import { script } from '../../src/report/script.ts';
import { browser, visit } from './browser.ts';
import { makeField, makeSound } from './sample-fields.ts';

/** What the visit below returns. */
interface Seen {
  first: string;
  second: string;
  last: string;
  moved: {
    place: string;
    planes: {
      width: number;
      height: number;
      pixels: number[];
      hidden: boolean;
      still: boolean;
      number: string;
      left: string;
      name: string;
    }[];
  }[];
  clicked: string;
  focus: string;
  at: number;
  cursor: [number, number];
  sound: [number, string | null];
}

test('the script is valid and cannot end its element', t => {
  t.doesNotThrow(() => new Script(script));
  t.notOk(/<\/script|<!--/i.test(script));
  t.end();
});

const affine: Field['affine'] = {
  origin: [0, 0, 0],
  direction: [
    [0, 0, 1],
    [0, 1, 0],
    [1, 0, 0],
  ],
};
const cube = (gain: number) => makeField('volume', [7, 8, 9, 1], i => gain * ((i * 29) % 251), { affine });

test('a visit to the page', { skip: browser ? false : 'no Chromium in PATH' }, async t => {
  const html = await renderReport(
    'visit',
    [
      {
        title: 'Curves',
        blocks: [
          {
            type: 'curves',
            title: 'Loss',
            xLabel: 'i',
            yLabel: 'loss',
            log: true,
            curves: [
              { label: 'a', x: [0, 10, 20], y: [100, 10, 1] },
              { label: 'b', x: [0, 20], y: [50, 5] },
            ],
          },
        ],
      },
      {
        title: 'Volumes',
        blocks: [
          {
            type: 'fields',
            items: [
              { label: 'before', field: cube(1) },
              { label: 'after', field: cube(2) },
            ],
          },
        ],
      },
      { title: 'Sound', blocks: [{ type: 'fields', items: [{ label: 'tone', field: makeSound(1, 8000) }] }] },
    ],
    {},
  );
  const seen = await visit<Seen>(
    html,
    `
    const settle = () => new Promise(done => setTimeout(done, 300));
    const area = document.querySelector('[data-plot]');
    const press = key => area.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    press('ArrowRight'); const first = document.querySelector('.readout').textContent;
    press('ArrowRight'); const second = document.querySelector('.readout').textContent;
    press('End'); const last = document.querySelector('.readout').textContent;
    const viewers = [...document.querySelectorAll('.viewer')];
    const pagers = [...viewers[0].querySelectorAll('.pager')];
    const moved = [];
    for (const [axis, to] of [[0, 1], [1, 6], [2, 2]]) {
      pagers[axis].value = to;
      pagers[axis].dispatchEvent(new Event('input', { bubbles: true }));
      await settle();
    }
    for (const viewer of viewers) {
      const planes = [...viewer.querySelectorAll('.plane')].map(plane => {
        const canvas = plane.querySelector('canvas');
        const pixels = [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data].filter((_, i) => i % 4 === 0);
        return { width: canvas.width, height: canvas.height, pixels, hidden: canvas.hidden, still: plane.querySelector('img').hidden,
          number: plane.querySelector('.slice-number').textContent, left: plane.querySelector('.down').style.left, name: canvas.getAttribute('aria-label') };
      });
      moved.push({ planes, place: viewer.querySelector('.place output').textContent });
    }
    const picture = viewers[0].querySelector('.plane-picture');
    const box = picture.getBoundingClientRect();
    picture.dispatchEvent(new MouseEvent('click', { clientX: box.left + box.width * 0.99, clientY: box.top + 1, bubbles: true }));
    await settle();
    const clicked = viewers[1].querySelector('.place output').textContent;
    const audio = document.querySelector('audio');
    const drawing = document.querySelector('[data-time]');
    const panel = drawing.getBoundingClientRect();
    const time = JSON.parse(drawing.dataset.time);
    const half = panel.left + (time.left + time.right) / 2 / drawing.viewBox.baseVal.width * panel.width;
    drawing.dispatchEvent(new MouseEvent('click', { clientX: half, clientY: panel.top + 20, bubbles: true }));
    const at = audio.currentTime;
    const cursor = [Number(drawing.querySelector('.cursor').getAttribute('x1')), (time.left + time.right) / 2];
    return { first, second, last, moved, clicked, focus: document.activeElement.getAttribute('aria-label'),
      at, cursor, sound: [audio.duration, audio.error && audio.error.message] };
    `,
  );
  t.equal(seen.error, undefined);
  if (seen.error) return;
  t.equal(seen.first, '0: a 100, b 50');
  t.equal(seen.second, '10: a 10', 'only curves with a point there');
  t.equal(seen.last, '20: a 1, b 5');

  // Slice 2 of 7 from the top is array index 5 along z, 7 of 8 from the front is 1 along y, 3 of 9 from the right 6 along x.
  const [z, y, x] = [5, 1, 6];
  for (const [v, gain] of [1, 2].entries()) {
    const { planes, place } = seen.moved[v];
    t.deepEqual(
      planes.map(plane => [plane.width, plane.height, plane.number, plane.hidden, plane.still]),
      [
        [9, 8, '2 of 7', false, true],
        [9, 7, '7 of 8', false, true],
        [8, 7, '3 of 9', false, true],
      ],
    );
    t.equal(place, `x ${x}.0, y ${y}.0, z ${z}.0 mm`, 'both viewers are at the same place');
    const value = (k: number, j: number, i: number) => gain * ((((k * 8 + j) * 9 + i) * 29) % 251);
    const expected = [
      Array.from({ length: 72 }, (_, p) => value(z, 7 - Math.floor(p / 9), 8 - (p % 9))),
      Array.from({ length: 63 }, (_, p) => value(6 - Math.floor(p / 9), y, 8 - (p % 9))),
      Array.from({ length: 56 }, (_, p) => value(6 - Math.floor(p / 8), 7 - (p % 8), x)),
    ];
    for (const [axis, values] of expected.entries()) {
      const { pixels, name } = planes[axis];
      // The window is linear: brightness orders like the values, and equal values are equally bright.
      const pairs = values.map((each, i) => [each, pixels[i]]).sort((a, b) => a[0] - b[0]);
      const ordered = pairs.every((pair, i) => i === 0 || pair[1] >= pairs[i - 1][1]);
      t.ok(ordered && new Set(pixels).size > 20, `${name}: every pixel comes from its voxel`);
    }
  }
  t.equal(
    Number.parseFloat(seen.moved[0].planes[0].left).toFixed(3),
    ((100 * 2.5) / 9).toFixed(3),
    'the crosshair moved along',
  );
  t.equal(
    seen.clicked,
    'x 0.0, y 7.0, z 5.0 mm',
    'a click on the upper right of the axial plane goes to the front left',
  );
  t.equal(seen.focus, 'before: axial slice', 'and leaves the slider ready for the arrow keys');
  t.deepEqual(seen.sound, [1, null], 'the browser can play the sound');
  t.ok(Math.abs(seen.at - 0.5) < 0.01, `a click in the middle of the spectrogram goes there (${seen.at})`);
  t.ok(Math.abs(seen.cursor[0] - seen.cursor[1]) < 2, 'and the line follows');
});
