// JPEG in and out, 8 bit, grey and colour; CMYK in.

import type { Format } from './format.ts';
import { encodePicture, peekPicture, readPicture } from './picture.ts';

export const jpeg: Format = {
  name: 'jpeg',
  kinds: ['image'],
  extensions: ['.jpg', '.jpeg', '.jpe'],
  summary: 'images, 8 bit, in and out',
  writeOptions: ['quality'],
  detect: head => head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff,
  peek: (path, options) => peekPicture(path, 'jpeg', options),
  read: (path, options) => readPicture(path, 'jpeg', options),
  encode: (field, target, options) =>
    encodePicture(field, target, options, {
      format: 'jpeg',
      sampleTypes: ['uint8'],
      alpha: false,
      write: pipeline => pipeline.jpeg({ quality: options.quality ?? 95, chromaSubsampling: '4:4:4' }),
    }),
};
