// `generate`: made sounds, textures and signals, for trying things out and as styles. Each says that it is made.

import type { FieldKind } from '../../formats/field.ts';
import { bells } from '../../signal/bells.ts';
import { type EcgLead, type EcgRhythm, ecgLeads, ecgRhythms, synthesizeEcg } from '../../signal/ecg.ts';
import { foam } from '../../signal/foam.ts';
import type { Step } from '../step.ts';

interface Parameters {
  what: 'bells' | 'foam' | 'ecg';
  duration?: number;
  sampleRate?: number;
  pitch?: number;
  rank?: number;
  size?: number;
  bubble?: number;
  rhythm?: EcgRhythm;
  heartRate?: number;
  variability?: number;
  premature?: number;
  noise?: number;
  wander?: number;
  leads?: EcgLead[];
}

const keysOf: Record<Parameters['what'], (keyof Parameters)[]> = {
  bells: ['duration', 'sampleRate', 'pitch'],
  foam: ['rank', 'size', 'bubble'],
  ecg: [
    'duration',
    'sampleRate',
    'rhythm',
    'heartRate',
    'variability',
    'premature',
    'noise',
    'wander',
    'leads',
  ],
};

const withDefaults = (p: Parameters) => ({
  duration: 10,
  sampleRate: p.what === 'ecg' ? 360 : 44100,
  pitch: 440,
  rank: 3,
  size: 64,
  bubble: 8,
  leads: ['II'] as EcgLead[],
  ...p,
});

export const generate: Step<Parameters> = {
  name: 'generate',
  summary: 'makes a sound (struck bars), a texture of any rank (foam) or an ECG; nothing recorded',
  schema: {
    required: ['what'],
    properties: {
      what: {
        enum: ['bells', 'foam', 'ecg'],
        description: 'bells: a sound of struck bars; foam: walls between bubbles; ecg: heartbeats in mV',
      },
      duration: {
        type: 'number',
        exclusiveMinimum: 0,
        maximum: 3600,
        costly: true,
        description: 'bells, ecg: seconds, 10 where absent',
      },
      sampleRate: {
        type: 'integer',
        minimum: 50,
        maximum: 192000,
        description:
          'samples a second; bells: from 8000, 44100 where absent; ecg: to 10000, 360 where absent',
      },
      pitch: {
        type: 'number',
        minimum: 20,
        maximum: 4000,
        description: 'bells: Hz of the lowest bar, 440 where absent; they span three octaves',
      },
      rank: { type: 'integer', minimum: 1, maximum: 4, description: 'foam: dimensions, 3 where absent' },
      size: {
        type: 'integer',
        minimum: 4,
        maximum: 1024,
        costly: true,
        description: 'foam: samples along each dimension, 64 where absent',
      },
      bubble: {
        type: 'number',
        minimum: 2,
        description: 'foam: width of a bubble in samples, 8 where absent',
      },
      rhythm: {
        enum: ecgRhythms,
        description:
          'ecg: sinus (healthy, where absent), bigeminy (every other beat premature), ventricular (broad beats), fibrillation (irregular, restless baseline)',
      },
      heartRate: {
        type: 'number',
        minimum: 20,
        maximum: 250,
        description: 'ecg: beats a minute, 70 where absent (fibrillation: 95)',
      },
      variability: {
        type: 'number',
        minimum: 0,
        maximum: 40,
        description: 'ecg: standard deviation of the heart rate, 2 where absent (fibrillation: 25)',
      },
      premature: {
        type: 'number',
        minimum: 0,
        maximum: 0.5,
        description: 'ecg in sinus rhythm: chance that a beat is a premature one, 0 where absent',
      },
      noise: {
        type: 'number',
        minimum: 0,
        maximum: 10,
        description: 'ecg: root mean square of white noise in mV, 0 where absent',
      },
      wander: {
        type: 'number',
        minimum: 0,
        maximum: 10,
        description: 'ecg: how far breathing pulls the baseline in mV, 0.15 where absent',
      },
      leads: {
        type: 'array',
        minItems: 1,
        items: { enum: ecgLeads },
        description: 'ecg: channels, [II] where absent',
      },
    },
  },
  outputs: { value: 'field' },
  check({ params, problem }) {
    const { what } = params;
    for (const key of Object.keys(params) as (keyof Parameters)[])
      if (key !== 'what' && !keysOf[what].includes(key))
        problem({ at: [key], message: `'${key}' has no effect with what: ${what}` });
    if (what === 'ecg' && params.premature !== undefined && (params.rhythm ?? 'sinus') !== 'sinus')
      problem({ at: ['premature'], message: `'premature' has no effect with rhythm: ${params.rhythm}` });
    const p = withDefaults(params);
    const [low, high] = what === 'ecg' ? [50, 10000] : [8000, 192000];
    if (what !== 'foam' && (p.sampleRate < low || p.sampleRate > high))
      problem({
        at: ['sampleRate'],
        message: `${what} takes ${low} to ${high} samples a second, not ${p.sampleRate}`,
      });
    if (what === 'foam') {
      const fieldKind: FieldKind = p.rank === 3 ? 'volume' : p.rank === 2 ? 'image' : 'array';
      const shape = [...new Array<number>(p.rank).fill(p.size), 1];
      return {
        outputs: { value: { kind: 'field', shape, fieldKind } },
        lines: [`generated foam ${shape.join('×')}`],
      };
    }
    const length = Math.round(p.duration * p.sampleRate);
    if (length < 1)
      problem({
        at: ['duration'],
        message: `${p.duration} s at ${p.sampleRate} samples a second hold no sample`,
      });
    const shape = [length, what === 'ecg' ? p.leads.length : 1];
    return {
      outputs: {
        value: {
          kind: 'field',
          shape,
          fieldKind: what === 'ecg' ? 'signal' : 'sound',
          axes: [{ name: 'time', spacing: 1 / p.sampleRate, unit: 's' }],
          sampleRate: p.sampleRate,
        },
      },
      lines: [`generated ${what} ${shape.join('×')}, ${p.duration} s at ${p.sampleRate} Hz`],
    };
  },
  async run({ params, seed }) {
    const p = withDefaults(params);
    if (p.what === 'bells') return { value: bells(p.duration, p.sampleRate, seed, p.pitch) };
    if (p.what === 'foam') return { value: foam(p.rank, p.size, p.bubble, seed) };
    const { duration, variability, sampleRate, leads, rhythm, heartRate, premature, noise, wander } = p;
    const given = { rhythm, heartRate, heartRateDeviation: variability, premature, noise, wander };
    const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    return { value: synthesizeEcg({ ...options, seconds: duration, sampleRate, leads, seed }).field };
  },
};
