// `generate`: a made sound, for trying things out and as a style with much texture.

import { bells } from '../../signal/bells.ts';
import type { Step } from '../step.ts';

interface Parameters {
  what: 'bells';
  duration: number;
  sampleRate: number;
}

export const generate: Step<Parameters> = {
  name: 'generate',
  summary: 'makes a sound (not a recording): struck bars in a seeded pattern',
  schema: {
    required: ['what'],
    properties: {
      what: { enum: ['bells'], description: 'bells: inharmonic struck bars' },
      duration: { type: 'number', exclusiveMinimum: 0, maximum: 600, default: 10, description: 'seconds' },
      sampleRate: {
        type: 'integer',
        minimum: 8000,
        maximum: 192000,
        default: 44100,
        description: 'samples a second',
      },
    },
  },
  outputs: { value: 'field' },
  check: ({ params: p }) => ({
    outputs: {
      value: { kind: 'field', shape: [Math.round(p.duration * p.sampleRate), 1], fieldKind: 'sound' },
    },
  }),
  run: async ({ params: p, seed }) => ({ value: bells(p.duration, p.sampleRate, seed) }),
};
