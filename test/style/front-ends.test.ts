// Fields as grids and back: round trips, what is done to a style that differs from the content, and what is refused.

import test from 'tape';
import type { Field, FieldKind } from '../../src/formats/field.ts';
import { createRandom } from '../../src/random.ts';
import { peakOf } from '../../src/signal/level.ts';
import { toSpectrogram } from '../../src/signal/spectrogram.ts';
import { fitField, fittedOutline, frontEndFor, gridShape } from '../../src/style/front-ends.ts';

function fieldOf(kind: FieldKind, shape: number[], rate?: number): Field {
  const random = createRandom(shape.length);
  return {
    kind,
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.uniform()),
    axes: shape.slice(0, -1).map((_, a) => ({
      name: `axis${a}`,
      spacing: rate ? 1 / rate : 1,
      unit: rate ? 's' : 'mm',
    })),
    source: 'test',
    valueUnit: kind === 'volume' ? 'HU' : '',
    sampleType: 'float32',
  };
}

/** Tones that begin one after the other, one channel each. */
function tones(seconds: number, rate: number, channels: number): Field {
  const field = fieldOf('sound', [Math.round(seconds * rate), channels], rate);
  for (let i = 0; i < field.data.length; i++) {
    const [time, c] = [Math.floor(i / channels) / rate, i % channels];
    const on = time > 0.1 * (c + 1) ? Math.exp(-3 * time) : 0;
    field.data[i] = 0.4 * on * Math.sin(2 * Math.PI * 330 * (c + 1) * time);
  }
  return field;
}

test('images, volumes and signals come back as they were', async t => {
  for (const field of [
    fieldOf('image', [5, 4, 3]),
    {
      ...fieldOf('volume', [3, 4, 5, 1]),
      data: fieldOf('volume', [3, 4, 5, 1]).data.map(v => 3000 * v - 1000),
    },
    fieldOf('signal', [50, 2], 100),
  ]) {
    const front = frontEndFor(field);
    const grid = front.encode(field);
    const mean = grid.data.reduce((a, b) => a + b) / grid.data.length;
    t.ok(field.kind === 'image' || Math.abs(mean) < 1e-5, `${field.kind}: mean ${mean}`);
    const back = await front.decode(grid);
    const span = peakOf(field.data);
    t.ok(
      back.data.every((v, i) => Math.abs(v - field.data[i]) < 1e-6 * span),
      field.kind,
    );
    t.deepEqual(back.axes, field.axes);
    t.equal(back.valueUnit, field.valueUnit);
  }
});

test('an image stays within black and white, a constant volume is no division by zero', async t => {
  const image = fieldOf('image', [2, 2, 1]);
  const { data } = await frontEndFor(image).decode({
    shape: [2, 2, 1],
    data: Float32Array.of(-1, 0.25, 0.5, 2),
  });
  t.deepEqual([...data], [0, 0.25, 0.5, 1]);
  const air = { ...fieldOf('volume', [2, 2, 2, 1]), data: new Float32Array(8).fill(-1000) };
  const front = frontEndFor(air);
  t.deepEqual([...front.encode(air).data], new Array(8).fill(0));
  t.deepEqual((await front.decode(front.encode(air))).data, air.data);
});

test('a stereo sound comes back with each channel where and when it was', async t => {
  const sound = tones(0.8, 8000, 2);
  const front = frontEndFor(sound);
  const grid = front.encode(sound);
  t.deepEqual(grid.shape, gridShape({ kind: 'sound', shape: sound.shape, sampleRate: 8000 }));
  const back = await front.decode(grid);
  t.deepEqual(back.shape, sound.shape);
  const again = front.encode(back);
  const energy = grid.data.reduce((sum, v) => sum + v * v, 0);
  const distance = grid.data.reduce((sum, v, i) => sum + (v - again.data[i]) ** 2, 0);
  t.ok(distance < 0.03 * energy, `spectrogram of the result: ${(distance / energy).toExponential(1)} off`);
  const level = (field: Field, c: number, from: number, to: number): number => {
    let sum = 0;
    for (let i = from; i < to; i++) sum += field.data[2 * i + c] ** 2;
    return Math.sqrt(sum / (to - from));
  };
  t.ok(level(back, 1, 0, 1200) < 0.1 * level(back, 1, 1800, 3000), 'the second channel begins later');
  t.ok(Math.abs(level(back, 0, 1800, 6000) / level(sound, 0, 1800, 6000) - 1) < 0.1, 'as loud as before');
  const quick = await front.decode(grid, { quick: true });
  t.equal(quick.data.length, sound.data.length, 'quickly too');
});

test('a grid that no sound has settles to one that a sound has', async t => {
  const sound = tones(0.8, 8000, 1);
  const front = frontEndFor(sound);
  const grid = front.encode(sound);
  const random = createRandom(1);
  const noisy = { shape: grid.shape, data: grid.data.map(v => v + 0.5 * random.uniform()) };
  const off = async (wanted: typeof grid): Promise<number> => {
    const decoded = toSpectrogram(await front.decode(wanted), {
      reference: toSpectrogram(sound).layout.reference,
      gain: 100,
    });
    const distance = wanted.data.reduce((sum, v, i) => sum + (v - decoded.field.data[i]) ** 2, 0);
    return distance / wanted.data.reduce((sum, v) => sum + v * v, 0);
  };
  const before = await off(noisy);
  const after = await off(await front.settle(noisy));
  t.ok(before > 0.02 && after < before / 10, `${before.toExponential(1)} → ${after.toExponential(1)}`);
  const image = fieldOf('image', [4, 4, 1]);
  const still = frontEndFor(image).encode(image);
  t.equal(await frontEndFor(image).settle(still), still, 'every grid is an image');
});

test('a sound louder than all that went in does not bang', async t => {
  const sound = tones(0.5, 8000, 1);
  const front = frontEndFor(sound);
  const grid = front.encode(sound);
  const { data } = await front.decode({ ...grid, data: grid.data.map(v => 2 * v) });
  t.ok(peakOf(data) <= 1, `peak ${peakOf(data)}`);
  t.ok(data.every(Number.isFinite));
});

test('a style at another rate is resampled, with a note', t => {
  const [content, style] = [tones(0.5, 8000, 1), tones(0.5, 11025, 1)];
  const notes: string[] = [];
  const fitted = fitField(style, content, '@style', note => notes.push(note));
  t.equal(fitted.axes[0].spacing, 1 / 8000);
  t.deepEqual(fitted.shape, [4001, 1]);
  t.deepEqual(notes, ["@style: resampled from 11025 to 8000 Hz, the content's rate"]);
  const outline = fittedOutline(
    { kind: 'sound', shape: style.shape, sampleRate: 11025 },
    { kind: 'sound', shape: content.shape, sampleRate: 8000 },
    '@style',
  );
  t.deepEqual(outline.outline.shape, fitted.shape, 'the plan knows its length');
  t.equal(fitField(content, content, '@x'), content, 'what fits is left alone');
  t.end();
});

test('mono beside stereo, grey beside colour', t => {
  const [mono, stereo] = [tones(0.1, 8000, 1), tones(0.1, 8000, 2)];
  const notes: string[] = [];
  const doubled = fitField(mono, stereo, '@style', note => notes.push(note));
  t.deepEqual(doubled.shape, [800, 2]);
  t.ok(doubled.data.every((v, i) => v === mono.data[i >> 1]));
  t.match(notes[0], /one channel stands for each of the content's 2/);
  const mixed = fitField(stereo, mono, '@style', note => notes.push(note));
  t.deepEqual(mixed.shape, [800, 1]);
  t.ok(mixed.data.every((v, i) => Math.abs(v - (stereo.data[2 * i] + stereo.data[2 * i + 1]) / 2) < 1e-7));
  t.match(notes[1], /2 channels are averaged/);
  t.deepEqual(fitField(fieldOf('image', [3, 3, 1]), fieldOf('image', [2, 2, 3]), '@s').shape, [3, 3, 3]);
  t.end();
});

test('what stands for nothing is refused', t => {
  const refused = (style: Field, content: Field, message: RegExp) =>
    t.throws(() => fitField(style, content, '@style'), message);
  refused(fieldOf('image', [3, 3, 4]), fieldOf('image', [3, 3, 3]), /4 channels, the content 3.*`channels`/);
  refused(fieldOf('signal', [9, 2], 100), fieldOf('signal', [9, 1], 100), /2 channels, the content 1/);
  refused(
    fieldOf('volume', [3, 3, 3, 1]),
    fieldOf('image', [3, 3, 1]),
    /kind volume, the content of kind image/,
  );
  refused(fieldOf('array', [3, 3, 1]), fieldOf('array', [3, 1]), /2 spatial dimensions, the content 1/);
  t.end();
});
