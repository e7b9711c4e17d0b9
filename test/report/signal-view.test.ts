import test from 'tape';
import { asCurve, laneScales, renderSignal } from '../../src/report/signal-view.ts';
import { makeField, pointsOf, unbalanced } from './sample-fields.ts';

const ecg = (gain: number, seconds = 3) =>
  makeField(
    'signal',
    [seconds * 100, 3],
    i => gain * ((i % 3) + 1) * Math.sin(Math.floor(i / 3) / 8) + (i % 3) * 100,
    {
      axes: [{ name: 'time', spacing: 0.01, unit: 's' }],
      channelNames: ['I', 'II', '<V1>'],
      valueUnit: 'mV',
    },
  );

const heightsOf = (html: string): number[] =>
  [...html.matchAll(/<path class="line signal" d="([^"]*)"/g)].map(([, path]) => {
    const y = pointsOf(path).map(point => point[1]);
    return Math.max(...y) - Math.min(...y);
  });

test('every channel, and every field beside it, has the same gain, whatever its offset', t => {
  const fields = [ecg(1), ecg(0.5)];
  const scales = laneScales(fields);
  const [full, half] = fields.map((field, i) => heightsOf(renderSignal(field, `${i}`, scales, 800).html));
  for (let channel = 0; channel < 3; channel++) {
    t.ok(
      Math.abs(full[channel] / full[0] - (channel + 1)) < 0.05,
      `channel ${channel} is ${channel + 1} times as high`,
    );
    t.ok(Math.abs(half[channel] / full[channel] - 0.5) < 0.05, 'half the gain, half the height');
  }
  t.end();
});

test('names, units, time and what is left out', t => {
  const long = ecg(1, 38);
  const { html, notes } = renderSignal(long, 'ECG', laneScales([long]), 800);
  t.deepEqual(unbalanced(html), []);
  for (const text of ['>I<', '>II<', '>&lt;V1&gt;<', '>mV<', '>time (s)<', '>10<'])
    t.ok(html.includes(text), text);
  t.deepEqual(notes, ['The first 10 s of 38 s.']);
  const many = makeField('signal', [20, 40], i => (i === 5 ? Number.NaN : i));
  const rendered = renderSignal(many, 'EEG', laneScales([many]), 400);
  t.equal(heightsOf(rendered.html).length, 16);
  t.deepEqual(rendered.notes, ['The first 16 of 40 channels.', '1 sample left out, not finite.']);
  t.notOk(/NaN|Infinity/.test(rendered.html));
  t.end();
});

test('flat lines, one sample, nothing finite, and an embedding', t => {
  for (const field of [
    makeField('signal', [50, 1], () => 3.25),
    makeField('signal', [50, 1], () => 0),
    makeField('signal', [1, 2], () => 1e-30),
    makeField('signal', [9, 1], () => Number.NaN),
    asCurve(makeField('array', [128], i => Math.cos(i))),
  ]) {
    const { html } = renderSignal(field, 'it', laneScales([field]), 400);
    t.deepEqual(unbalanced(html), []);
    t.notOk(/NaN|Infinity|undefined/.test(html), `shape [${field.shape}]`);
  }
  t.ok(
    renderSignal(
      asCurve(makeField('array', [128], i => i)),
      'it',
      laneScales([asCurve(makeField('array', [128], i => i))]),
      400,
    ).html.includes('>channel<'),
  );
  t.end();
});
