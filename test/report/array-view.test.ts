import test from 'tape';
import { renderHeatMaps } from '../../src/report/array-view.ts';
import { heatColours } from '../../src/report/colour-map.ts';
import { makeField, pixelsOf, unbalanced, urisOf } from './sample-fields.ts';

const window = { low: 0, high: 255, rule: 'test' };
const colourOf = (byte: number) => [...heatColours.subarray(3 * byte, 3 * byte + 3)];

test('a matrix is drawn row by row from the top, in the colours of its values', async t => {
  const field = makeField('array', [3, 4, 1], i => i * 20);
  const { html } = await renderHeatMaps(field, window, 1e6, 'Gram <matrix>', 400);
  t.deepEqual(unbalanced(html), []);
  const { data, width, height } = await pixelsOf(urisOf(html, 'image/png')[0]);
  t.deepEqual([width, height], [4, 3]);
  t.deepEqual([...data], Array.from({ length: 12 }, (_, i) => colourOf(i * 20)).flat());
  t.ok(html.includes('aria-label="Gram &lt;matrix&gt;: heat map of 3 by 4 values"'));
  const [top, bottom] = [/tick end"[^>]* y="([\d.]+)"[^>]*>0</, /tick end"[^>]* y="([\d.]+)"[^>]*>3</].map(
    pattern => Number(pattern.exec(html)![1]),
  );
  t.ok(top < bottom, 'row 0 is at the top');
});

test('channels over time, with the units of the axis', async t => {
  const field = makeField('array', [50, 20], i => i % 20, {
    axes: [{ name: 'time', spacing: 0.1, unit: 's' }],
  });
  const { html, notes } = await renderHeatMaps(field, window, 1e6, 'features', 400);
  const { data, width, height } = await pixelsOf(urisOf(html, 'image/png')[0]);
  t.deepEqual([width, height], [50, 20]);
  t.deepEqual([...data.subarray(7 * 50 * 3, 7 * 50 * 3 + 3)], colourOf(7), 'row 7 is channel 7');
  t.ok(html.includes('>time (s)<') && html.includes('>5<') && html.includes('>channel<'));
  t.deepEqual(notes, []);
});

test('several channels are drawn apart, and what is left out is said', async t => {
  const field = makeField('array', [5, 6, 9], i => (i === 0 ? Number.NaN : i % 9));
  const { html, notes } = await renderHeatMaps(field, window, 1e6, 'maps', 400);
  const uris = urisOf(html, 'image/png');
  t.equal(uris.length, 4);
  t.deepEqual([...(await pixelsOf(uris[3])).data.subarray(0, 3)], colourOf(3));
  t.deepEqual(notes, ['1 sample not finite, shown like the lowest.', 'The first 4 of 9 channels.']);
});
