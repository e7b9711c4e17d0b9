import test from 'tape';
import { heatColours } from '../../src/report/colour-map.ts';
import { renderSounds } from '../../src/report/sound-view.ts';
import { makeSpectrogram } from '../../src/report/spectrogram.ts';
import { makeField, makeSound, pixelsOf, unbalanced, urisOf } from './sample-fields.ts';

test('a tone lies at its frequency and loudness, in every channel count and at every rate', t => {
  for (const [rate, channels, hertz] of [
    [44100, 1, 440],
    [44100, 2, 5000],
    [8000, 1, 100],
    [22050, 1, 10000],
    [1000, 1, 150],
  ]) {
    const { width, height, decibels, lowHertz, highHertz } = makeSpectrogram(
      makeSound(1, rate, channels, hertz),
      60,
    );
    const column = Math.floor(width / 2);
    let best = 0;
    for (let row = 1; row < height; row++)
      if (decibels[row * width + column] > decibels[best * width + column]) best = row;
    const found = highHertz * (lowHertz / highHertz) ** ((best + 0.5) / height);
    const resolution = Math.max(0.05 * hertz, rate / (0.04 * rate));
    t.ok(
      Math.abs(found - hertz) <= resolution,
      `${hertz} Hz at rate ${rate} found at ${found.toFixed(0)} Hz`,
    );
    const loudness = decibels[best * width + column];
    t.ok(Math.abs(loudness + 6.02) < 1.5, `amplitude 0.5 is −6 dB (${loudness.toFixed(2)})`);
  }
  t.end();
});

test('time runs from left to right, and a long sound keeps its short events', t => {
  const click = makeField('sound', [60 * 8000, 1], i => (i === 45 * 8000 ? 1 : 0), {
    axes: [{ name: 'time', spacing: 1 / 8000, unit: 's' }],
  });
  const { width, height, decibels } = makeSpectrogram(click, 60);
  const heard = Array.from({ length: width }, (_, column) => column).filter(
    column => decibels[(height >> 1) * width + column] > -100,
  );
  t.ok(heard.length >= 1 && heard.length <= 4, `heard in columns ${heard} of ${width}`);
  t.ok(heard.every(column => Math.abs(column / width - 0.75) < 0.01));
  t.end();
});

test('spectrograms of compared sounds share one range of decibels', async t => {
  const loud = makeSound(0.5, 16000);
  const soft = { ...loud, data: loud.data.map(value => value / 10) };
  const { views, shared } = await renderSounds(
    [
      { label: 'before', field: loud },
      { label: '<after>', field: soft },
    ],
    1e6,
    540,
  );
  t.ok(/from −8\d to −[67] dB, the same for all; 0 dB/.test(shared), shared.replace(/<[^>]*>/g, ''));
  const brightest = await Promise.all(
    views.map(async ({ html }) => {
      t.deepEqual(unbalanced(html), []);
      const { data } = await pixelsOf(urisOf(html, 'image/png')[0]);
      let best = 0;
      for (let i = 0; i < data.length; i += 3) {
        for (let byte = 255; byte > best; byte--) {
          if ([0, 1, 2].every(c => heatColours[3 * byte + c] === data[i + c])) best = byte;
        }
      }
      return best;
    }),
  );
  t.equal(brightest[0], 255);
  t.ok(
    Math.abs(brightest[1] - 255 * (1 - 20 / 80)) < 2,
    `20 dB softer is a quarter of the range darker (${brightest})`,
  );
  t.ok(
    views[1].html.includes('aria-label="&lt;after&gt;: spectrogram, 0.5 s, ') &&
      views[1].html.includes('data-time='),
  );
});

test('silence, one sample, and samples that are not finite', async t => {
  for (const samples of [[0, 0, 0, 0], [0.5], [Number.NaN, Infinity, 0.1]]) {
    const field = makeField('sound', [samples.length, 1], i => samples[i], {
      axes: [{ name: 'time', spacing: 1 / 8000, unit: 's' }],
    });
    const { views, shared } = await renderSounds([{ label: 'it', field }], 1e5, 540);
    t.notOk(/NaN|Infinity/.test(views[0].html.replace(/base64,[^"]*/g, '') + shared), `${samples}`);
    t.equal(urisOf(views[0].html, 'image/png').length, 1);
  }
});
