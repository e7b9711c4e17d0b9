// WebP in and out, 8 bit, colour with transparency. Written without loss unless a quality is asked for. WebP knows
// no grey: a grey picture is written with three equal channels.

import { startsWith } from './bytes.ts';
import type { Format } from './format.ts';
import { encodePicture, peekPicture, readPicture } from './picture.ts';

export const webp: Format = {
  name: 'webp',
  kinds: ['image'],
  extensions: ['.webp'],
  summary: 'images, 8 bit, in and out',
  readOptions: ['alpha'],
  writeOptions: ['quality'],
  detect: head => startsWith(head, 'RIFF') && startsWith(head, 'WEBP', 8),
  peek: (path, options) => peekPicture(path, 'webp', options),
  read: (path, options) => readPicture(path, 'webp', options),
  encode: (field, target, options) =>
    encodePicture(field, target, options, {
      format: 'webp',
      sampleTypes: ['uint8'],
      alpha: true,
      write: pipeline => pipeline.webp(options.quality ? { quality: options.quality } : { lossless: true }),
    }),
};
