// PGM and PPM in, plain and raw, 8 and 16 bit: the one family of pictures that sharp's packaged libvips leaves out.
// Source: the Netpbm project's descriptions of the formats.

import { expectBytes, expectSizes, latin, readHead, readWhole, sizeOf } from './bytes.ts';
import type { FieldHeader, Format } from './format.ts';
import { formatError } from './format.ts';
import { pixelAxes } from './picture.ts';
import { bytesOf, decodeSamples } from './samples.ts';

interface Header {
  field: FieldHeader;
  raw: boolean;
  largest: number;
  /** Where the samples begin. */
  start: number;
}

const gap = '(?:\\s|#[^\\n]*\\n)+';
const headerPattern = new RegExp(`^P[2356]${gap}(\\d+)${gap}(\\d+)${gap}(\\d+)\\s`);

/** Parses `P5 width height largest`. */
function parseHeader(path: string, head: Uint8Array): Header {
  const text = latin(head);
  const found = headerPattern.exec(text);
  if (!found)
    throw formatError(path, 'its header has no width, height and largest value', 'copy or export it again');
  const [width, height, largest] = found.slice(1).map(Number);
  const shape = [height, width, text[1] === '2' || text[1] === '5' ? 1 : 3];
  expectSizes(path, shape, 'height × width × channels');
  if (largest < 1 || largest > 65535)
    throw formatError(path, `its largest value is ${largest}, and 1 to 65535 is possible`, 'export it again');
  const field: FieldHeader = {
    kind: 'image',
    shape,
    axes: pixelAxes(),
    source: path,
    valueUnit: '',
    sampleType: largest < 256 ? 'uint8' : 'uint16',
  };
  return { field, raw: text[1] > '3', largest, start: found[0].length };
}

const whatOf = ({ field: { shape } }: Header): string => `${shape[1]}×${shape[0]} pixels`;

/** Least number of bytes after the header; a plain sample takes at least a digit and a space. */
function needOf({ field, raw }: Header): number {
  const count = field.shape.reduce((a, b) => a * b, 1);
  return raw ? count * bytesOf[field.sampleType] : 2 * count - 1;
}

export const netpbm: Format = {
  name: 'netpbm',
  kinds: ['image'],
  extensions: ['.pgm', '.ppm', '.pnm'],
  summary: 'images (PGM, PPM), 8 and 16 bit, in only',
  detect: head => /^P[2356][\s#]/.test(latin(head, 0, 3)),

  async peek(path) {
    const header = parseHeader(path, await readHead(path));
    expectBytes(path, needOf(header), (await sizeOf(path)) - header.start, whatOf(header));
    return header.field;
  },

  async read(path) {
    const bytes = await readWhole(path);
    const header = parseHeader(path, bytes.subarray(0, 4096));
    const { field, raw, largest, start } = header;
    const count = field.shape.reduce((a, b) => a * b, 1);
    const body = bytes.subarray(start);
    expectBytes(path, needOf(header), body.length, whatOf(header));
    if (raw) {
      const data = decodeSamples(body, field.sampleType, count, { littleEndian: false, scale: 1 / largest });
      return { ...field, data };
    }
    const words = latin(body).match(/\d+/g) ?? [];
    if (words.length < count)
      throw formatError(
        path,
        `the header announces ${count} samples but ${words.length} follow: it is truncated`,
        'copy or export it again',
      );
    const data = Float32Array.from({ length: count }, (_, i) => Number(words[i]) / largest);
    return { ...field, data };
  },
};
