// TIFF in and out, 8 and 16 bit, grey and colour, with transparency; 32-bit float grey in. Of several pages the
// first is read.

import { latin } from './bytes.ts';
import type { Format } from './format.ts';
import { encodePicture, peekPicture, readPicture } from './picture.ts';

// Little- and big-endian, classic and BigTIFF.
const magics = ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'];

export const tiff: Format = {
  name: 'tiff',
  kinds: ['image'],
  extensions: ['.tif', '.tiff'],
  summary: 'images, 8 and 16 bit, in and out; 32-bit float grey in',
  readOptions: ['alpha'],
  writeOptions: ['sampleType'],
  detect: head => magics.includes(latin(head, 0, 4)),
  peek: (path, options) => peekPicture(path, 'tiff', options),
  read: (path, options) => readPicture(path, 'tiff', options),
  encode: (field, target, options) =>
    encodePicture(field, target, options, {
      format: 'tiff',
      sampleTypes: ['uint8', 'uint16'],
      alpha: true,
      write: pipeline => pipeline.tiff({ compression: 'deflate', predictor: 'horizontal' }),
    }),
};
