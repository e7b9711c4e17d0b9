import { createHash } from 'node:crypto';
import fc from 'fast-check';
import test from 'tape';
import type { Field, FieldKind } from '../../src/formats/field.ts';
import { createRandom } from '../../src/random.ts';
import { renderReport } from '../../src/report/html.ts';
import { limits } from '../../src/report/limits.ts';
import type { Section } from '../../src/report/section.ts';
import { makeField, makeSound, unbalanced } from './sample-fields.ts';

/** Markup, quotes and control characters that must come out as text. */
const hostile = `</title></style></script><script>alert(1)</script><img src=http://x onerror='a"b'>&amp;\0`;

const affine: Field['affine'] = {
  origin: [0, 0, 0],
  direction: [
    [0, 0, 1],
    [0, 1, 0],
    [1, 0, 0],
  ],
};

const hostileField = (kind: FieldKind, shape: number[], more: Partial<Field> = {}): Field =>
  makeField(kind, shape, i => i / 10, {
    source: hostile,
    valueUnit: hostile,
    channelNames: Array.from({ length: shape[shape.length - 1] }, () => hostile),
    axes: shape.slice(0, -1).map(() => ({ name: hostile, spacing: 0.01, unit: hostile })),
    ...more,
  });

const everything = (): Section[] => [
  {
    title: hostile,
    blocks: [
      { type: 'text', text: `${hostile}\n\n${hostile}` },
      {
        type: 'table',
        columns: [hostile, 'n'],
        rows: [
          [hostile, 1],
          [hostile, Number.NaN],
        ],
      },
      {
        type: 'curves',
        title: hostile,
        xLabel: hostile,
        yLabel: hostile,
        curves: [{ label: hostile, x: [0, 1, 2], y: [1, Number.NaN, 3] }],
      },
      {
        type: 'fields',
        items: [
          hostileField('image', [4, 5, 3]),
          hostileField('volume', [3, 4, 5, 1], { affine }),
          hostileField('volume', [3, 4, 5, 2]),
          hostileField('signal', [50, 2]),
          hostileField('array', [6, 7, 2]),
          hostileField('sound', [900, 1], { axes: [{ name: hostile, spacing: 1 / 8000, unit: 's' }] }),
        ].map(field => ({ label: hostile, field })),
      },
    ],
  },
  { title: 'Second', blocks: [] },
  { title: 'Third', blocks: [{ type: 'text', text: '' }] },
];

test('the page is whole, and nothing from a run can become markup', async t => {
  const html = await renderReport(hostile, everything(), { [hostile]: hostile });
  t.ok(html.startsWith('<!DOCTYPE html>\n<html lang="en">'));
  t.deepEqual(unbalanced(html), []);
  t.equal(html.match(/<script/g)?.length, 1, 'one script');
  t.equal(html.match(/<\/script>/g)?.length, 1);
  t.equal(html.match(/<\/style>/g)?.length, 1);
  t.notOk(/<img src=http|onerror='|\0/.test(html), 'no injected element, attribute or NUL');
  t.ok(html.includes('<title>&lt;/title&gt;'));
  const untitled = [...html.matchAll(/<(?:img|audio|svg|input)\b(?:"[^"]*"|[^">])*>/g)].filter(
    ([tag]) => !/ alt="| aria-label="| aria-hidden="true"/.test(tag),
  );
  t.deepEqual(
    untitled.map(([tag]) => tag.slice(0, 60)),
    [],
    'every picture, player and slider has a name',
  );
});

test('nothing is loaded from outside, and only the page’s own script may run', async t => {
  const html = await renderReport('title', everything(), {});
  const sources = [...html.matchAll(/\s(?:src|href|xlink:href|action|poster|srcset)="([^"]*)"/g)].map(
    match => match[1],
  );
  t.deepEqual(
    sources.filter(source => !/^data:|^#/.test(source)).map(source => source.slice(0, 60)),
    [],
  );
  t.notOk(/url\(|@import|<link|<iframe|fetch\(|XMLHttpRequest|import\(/.test(html));
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(html)![1];
  const script = /<script>([\s\S]*)<\/script>/.exec(html)![1];
  t.ok(policy.startsWith("default-src 'none'"));
  t.ok(
    policy.includes(`'sha256-${createHash('sha256').update(script).digest('base64')}'`),
    'the script has the hash that the policy allows',
  );
  const ids = [...html.matchAll(/ id="([^"]*)"/g)].map(match => match[1]);
  t.equal(new Set(ids).size, ids.length, 'identifiers are unique');
  for (const [, target] of html.matchAll(/href="#([^"]*)"/g)) t.ok(ids.includes(target), `#${target} exists`);
});

test('text, tables and facts', async t => {
  const rows = Array.from({ length: limits.tableRows + 5 }, (_, i) => [`row ${i}`, i / 3]);
  const html = await renderReport(
    'A run',
    [
      {
        title: 'One',
        blocks: [
          { type: 'text', text: 'a\nb\n\n\nc' },
          { type: 'table', columns: ['name', 'loss'], rows },
        ],
      },
    ],
    {
      backend: 'wasm',
      seed: '7',
    },
  );
  t.ok(html.includes('<p class="text">a\nb</p>\n<p class="text">c</p>'));
  t.ok(html.includes('<dt>backend</dt><dd>wasm</dd>\n<dt>seed</dt><dd>7</dd>'));
  t.ok(
    html.includes('<th scope="row">row 1</th><td class="number">0.333333</td>'),
    'numbers stand to the right',
  );
  t.ok(html.includes(`The first ${limits.tableRows} of ${rows.length} rows.`));
  t.notOk(html.includes('<nav'), 'no contents for one section');
  t.ok((await renderReport('A run', everything(), {})).includes('<nav'), 'contents for three');
});

test('the same report gives the same page', async t => {
  t.equal(
    await renderReport('a', everything(), { b: 'c' }),
    await renderReport('a', everything(), { b: 'c' }),
  );
});

test('a page with more than it can hold shows each field smaller', async t => {
  const random = createRandom(1, 'html test');
  const noise = makeField('image', [400, 500, 3], () => random.uniform());
  const items = Array.from({ length: 60 }, (_, i) => ({ label: `snapshot ${i}`, field: noise }));
  const html = await renderReport('many', [{ title: 'Snapshots', blocks: [{ type: 'fields', items }] }], {});
  t.ok(html.length < limits.pageBytes * 1.05, `${(html.length / 2 ** 20).toFixed(1)} MiB`);
  t.ok(html.length > limits.pageBytes * 0.6, 'and the room is used');
  t.equal(html.match(/Shown at \d+ × \d+ pixels\./g)?.length, 60);
});

test('any field of any kind and rank can be shown', async t => {
  const kinds = fc.constantFrom<FieldKind>('sound', 'signal', 'image', 'volume', 'array');
  const shapes = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 6 });
  const values = fc.constantFrom(0, 1, -1, 1e-30, 3e38, Number.NaN, Infinity, 0.5);
  await fc.assert(
    fc.asyncProperty(
      kinds,
      shapes,
      fc.array(values, { minLength: 1, maxLength: 7 }),
      fc.boolean(),
      async (kind, shape, samples, timed) => {
        const field = makeField(
          kind,
          shape,
          i => samples[i % samples.length],
          timed ? { axes: shape.slice(1).map(() => ({ name: 'time', spacing: 1 / 8000, unit: 's' })) } : {},
        );
        const html = await renderReport(
          'any',
          [
            {
              title: 'any',
              blocks: [
                {
                  type: 'fields',
                  items: [
                    { label: 'it', field },
                    { label: 'again', field },
                  ],
                },
              ],
            },
          ],
          {},
        );
        const body = html.slice(html.indexOf('<body'), html.indexOf('<script')).replace(/base64,[^"]*/g, '');
        if (unbalanced(html).length > 0) throw new Error(`unbalanced: ${unbalanced(html)}`);
        const bad = /.{40}(NaN|undefined|Infinity|\[object).{40}/.exec(body);
        if (bad) throw new Error(`${kind} [${shape}]: ${bad[0]}`);
      },
    ),
    { seed: 1, numRuns: 150 },
  );
  t.pass('150 fields');
});

test('a sound and a picture end up in the page of a small report', async t => {
  const html = await renderReport(
    'small',
    [
      {
        title: 'Sound',
        blocks: [{ type: 'fields', items: [{ label: 'tone', field: makeSound(0.5, 8000) }] }],
      },
    ],
    {},
  );
  t.ok(html.includes('<audio controls') && html.includes('data:audio/wav;base64,'));
  t.ok(html.length < 400_000, `${html.length} bytes`);
});
