// `generate`: made sounds and textures, for trying things out and as styles. Each says that it is made.

import { bells } from '../../signal/bells.ts';
import { foam } from '../../signal/foam.ts';
import type { Step } from '../step.ts';

interface Parameters {
  what: 'bells' | 'foam';
  duration?: number;
  sampleRate?: number;
  rank?: number;
  size?: number;
  bubble?: number;
}

const keysOf = { bells: ['duration', 'sampleRate'], foam: ['rank', 'size', 'bubble'] };

const withDefaults = (p: Parameters) => ({
  duration: 10,
  sampleRate: 44100,
  rank: 3,
  size: 64,
  bubble: 8,
  ...p,
});

export const generate: Step<Parameters> = {
  name: 'generate',
  summary: 'makes a sound (struck bars) or a texture of any rank (foam); nothing recorded',
  schema: {
    required: ['what'],
    properties: {
      what: {
        enum: ['bells', 'foam'],
        description: 'bells: a sound of struck bars; foam: walls between bubbles',
      },
      duration: {
        type: 'number',
        exclusiveMinimum: 0,
        maximum: 600,
        description: 'bells: seconds, 10 where absent',
      },
      sampleRate: {
        type: 'integer',
        minimum: 8000,
        maximum: 192000,
        description: 'bells: samples a second, 44100 where absent',
      },
      rank: { type: 'integer', minimum: 1, maximum: 4, description: 'foam: dimensions, 3 where absent' },
      size: {
        type: 'integer',
        minimum: 4,
        maximum: 1024,
        description: 'foam: samples along each dimension, 64 where absent',
      },
      bubble: {
        type: 'number',
        minimum: 2,
        description: 'foam: width of a bubble in samples, 8 where absent',
      },
    },
  },
  outputs: { value: 'field' },
  check({ params, problem }) {
    for (const key of Object.keys(params))
      if (key !== 'what' && !keysOf[params.what].includes(key))
        problem({ at: [key], message: `'${key}' has no effect with what: ${params.what}` });
    const p = withDefaults(params);
    const sound = p.what === 'bells';
    const shape = sound
      ? [Math.round(p.duration * p.sampleRate), 1]
      : [...new Array<number>(p.rank).fill(p.size), 1];
    const fieldKind = sound ? 'sound' : p.rank === 3 ? 'volume' : p.rank === 2 ? 'image' : 'array';
    return {
      outputs: { value: { kind: 'field', shape, fieldKind } },
      lines: [`generated ${p.what} [${shape}]`],
    };
  },
  async run({ params, seed }) {
    const p = withDefaults(params);
    return {
      value:
        p.what === 'bells' ? bells(p.duration, p.sampleRate, seed) : foam(p.rank, p.size, p.bubble, seed),
    };
  },
};
