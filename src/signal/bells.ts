// A generated sound with much texture: bars struck in a fast, seeded pattern, each a sum of inharmonic decaying partials
// (the modes of a free bar: 1, 2.756, 5.404, 8.933; Fletcher & Rossing 1998). It is made, not recorded, and says so.

import type { Field } from '../formats/field.ts';
import { createRandom } from '../random.ts';

const MODES = [1, 2.756, 5.404, 8.933];
const SCALE = [0, 2, 4, 7, 9];

/** `seconds` of struck bars, mono, peak 0.9; three octaves of bars from `lowest` Hz. */
export function bells(seconds: number, sampleRate: number, seed: number, lowest: number): Field {
  const random = createRandom(seed, 'bells');
  const length = Math.round(seconds * sampleRate);
  const data = new Float32Array(length);
  for (let time = 0; time < seconds; time += 0.11 + (random.uniform() < 0.2 ? 0.11 : 0)) {
    const step = random.integer(15);
    const pitch = lowest * 2 ** (Math.floor(step / 5) + SCALE[step % 5] / 12);
    const strength = 0.4 + 0.6 * random.uniform();
    const from = Math.round(time * sampleRate);
    for (const [m, ratio] of MODES.entries()) {
      const frequency = pitch * ratio;
      if (frequency > 0.45 * sampleRate) continue;
      const decay = 3 * (m + 1);
      const end = Math.min(length, from + Math.ceil((7 / decay) * sampleRate));
      for (let i = from; i < end; i++) {
        const t = (i - from) / sampleRate;
        data[i] += (strength / (m + 1)) * Math.exp(-decay * t) * Math.sin(2 * Math.PI * frequency * t);
      }
    }
  }
  const peak = data.reduce((m, v) => Math.max(m, Math.abs(v)), 0) || 1;
  for (let i = 0; i < length; i++) data[i] *= 0.9 / peak;
  return {
    kind: 'sound',
    shape: [length, 1],
    data,
    axes: [{ name: 'time', spacing: 1 / sampleRate, unit: 's' }],
    source: 'generated bells',
    valueUnit: '',
    sampleType: 'float32',
  };
}
