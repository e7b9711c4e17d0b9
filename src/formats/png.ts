// PNG in and out, 8 and 16 bit, grey and colour, with transparency.

import { latin } from './bytes.ts';
import type { Format } from './format.ts';
import { encodePicture, peekPicture, readPicture } from './picture.ts';

export const png: Format = {
  name: 'png',
  kinds: ['image'],
  extensions: ['.png'],
  summary: 'images, 8 and 16 bit, in and out',
  readOptions: ['alpha'],
  writeOptions: ['sampleType'],
  detect: head => latin(head, 0, 8) === '\x89PNG\r\n\x1a\n',
  peek: (path, options) => peekPicture(path, 'png', options),
  read: (path, options) => readPicture(path, 'png', options),
  encode: (field, target, options) =>
    encodePicture(field, target, options, {
      format: 'png',
      sampleTypes: ['uint8', 'uint16'],
      alpha: true,
      write: pipeline => pipeline.png(),
    }),
};
