// Fields and small tools that the report's tests share.

import sharp from 'sharp';
import type { Axis, Field, FieldKind } from '../../src/formats/field.ts';

/** A field whose samples are `value(index)`. */
export function makeField(
  kind: FieldKind,
  shape: number[],
  value: (index: number) => number,
  more: Partial<Field> = {},
): Field {
  const size = shape.reduce((a, b) => a * b, 1);
  const axes: Axis[] = shape.slice(0, -1).map(() => ({ name: '', spacing: 1, unit: '' }));
  const data = Float32Array.from({ length: size }, (_, index) => value(index));
  return {
    kind,
    shape,
    data,
    axes,
    source: 'made for a test',
    valueUnit: '',
    sampleType: 'float32',
    ...more,
  };
}

/** A sine of `hertz`, amplitude 0.5, `[seconds · rate, channels]`. */
export const makeSound = (seconds: number, rate: number, channels = 1, hertz = 440): Field =>
  makeField(
    'sound',
    [Math.round(seconds * rate), channels],
    i => 0.5 * Math.sin((2 * Math.PI * hertz * Math.floor(i / channels)) / rate),
    { axes: [{ name: 'time', spacing: 1 / rate, unit: 's' }], sampleType: 'int16' },
  );

/** All `data:` URIs of a page with the given media type, in order. */
export const urisOf = (html: string, type: string): string[] =>
  [...html.matchAll(new RegExp(`"(data:${type};base64,[^"]*)"`, 'g'))].map(match => match[1]);

/** The bytes behind a base64 `data:` URI. */
export const bytesOf = (uri: string): Buffer => Buffer.from(uri.slice(uri.indexOf(',') + 1), 'base64');

/** Decoded pixels of a PNG URI, `[height, width, channels]`. */
export async function pixelsOf(
  uri: string,
): Promise<{ width: number; height: number; channels: number; data: Uint8Array }> {
  const image = sharp(bytesOf(uri));
  const channels = (await image.metadata()).channels;
  // Grey comes out of sharp as RGB, with alpha behind it.
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  const picked =
    channels === 1 ? [0] : channels === 2 ? [0, 3] : Array.from({ length: channels }, (_, i) => i);
  const pixels = info.width * info.height;
  const packed = Uint8Array.from({ length: pixels * channels }, (_, i) => {
    return data[Math.floor(i / channels) * info.channels + picked[i % channels]];
  });
  return { width: info.width, height: info.height, channels, data: packed };
}

/** Numbers of an SVG path's data, pairs x, y. */
export function pointsOf(path: string): [number, number][] {
  const numbers = (path.replaceAll('h0.01', '').match(/-?[\d.]+/g) ?? []).map(Number);
  return Array.from({ length: numbers.length / 2 }, (_, i) => [numbers[2 * i], numbers[2 * i + 1]]);
}

/** Names of elements left open or closed twice; [] for well-formed markup. */
export function unbalanced(html: string): string[] {
  const empty = new Set(['meta', 'img', 'input', 'br', 'link', 'path', 'line', 'rect', 'image']);
  const open: string[] = [];
  const wrong: string[] = [];
  const body = html.replace(/<!DOCTYPE[^>]*>/i, '').replace(/<(style|script)>[\s\S]*?<\/\1>/g, '');
  for (const [, slash, name, attributes] of body.matchAll(/<(\/?)([a-zA-Z][\w]*)((?:"[^"]*"|[^">])*)>/g)) {
    if (empty.has(name) || attributes.endsWith('/')) continue;
    if (!slash) open.push(name);
    else if (open[open.length - 1] === name) open.pop();
    else wrong.push(`/${name}`);
  }
  return [...open, ...wrong];
}
