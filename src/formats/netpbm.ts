// PGM and PPM in, plain and raw, 8 and 16 bit: the one family of pictures that sharp's packaged libvips leaves out.
// Source: the Netpbm project's descriptions of the formats.

import { expectBytes, expectSizes, latin, readHead, readWhole } from './bytes.ts';
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

export const netpbm: Format = {
  name: 'netpbm',
  kinds: ['image'],
  extensions: ['.pgm', '.ppm', '.pnm'],
  summary: 'images (PGM, PPM), 8 and 16 bit, in only',
  detect: head => /^P[2356][\s#]/.test(latin(head, 0, 3)),

  peek: async path => parseHeader(path, await readHead(path)).field,

  async read(path) {
    const bytes = await readWhole(path);
    const { field, raw, largest, start } = parseHeader(path, bytes.subarray(0, 4096));
    const count = field.shape.reduce((a, b) => a * b, 1);
    const what = `${field.shape[1]}×${field.shape[0]} pixels`;
    const body = bytes.subarray(start);
    if (raw) {
      expectBytes(path, count * bytesOf[field.sampleType], body.length, what);
      const data = decodeSamples(body, field.sampleType, count, { littleEndian: false, scale: 1 / largest });
      return { ...field, data };
    }
    // A plain sample takes at least a digit and a space.
    expectBytes(path, 2 * count - 1, body.length, what);
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
