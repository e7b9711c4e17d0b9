// A synthetic electrocardiogram by the dynamical model of McSharry, Clifford, Tarassenko and Smith 2003 ("A dynamical
// model for generating synthetic electrocardiogram signals"), for examples and tests that need a heartbeat with known
// beats. A point runs round a circle once a beat and pushes the signal up or down as it passes the waves P, Q, R, S
// and T. It is generated, and its `source` says so; it is no stand-in for a patient's recording.

import { NdconvError } from '../errors.ts';
import type { Field } from '../formats/field.ts';
import { createRandom, type Random } from '../random.ts';

export const ecgLeads = ['I', 'II', 'III', 'aVR', 'aVL', 'aVF', 'V1', 'V2', 'V3', 'V4', 'V5', 'V6'] as const;
export type EcgLead = (typeof ecgLeads)[number];

/** One wave of a beat: its angle in degrees (R is at 0), the model's amplitude a, and its width b in radians. */
export interface EcgWave {
  angle: number;
  amplitude: number;
  width: number;
}

/** The five waves of a beat in their order: P, Q, R, S, T. */
export type EcgWaves = readonly [p: EcgWave, q: EcgWave, r: EcgWave, s: EcgWave, t: EcgWave];

/** Table 1 of the paper. */
export const normalWaves: EcgWaves = [
  { angle: -70, amplitude: 1.2, width: 0.25 },
  { angle: -15, amplitude: -5, width: 0.1 },
  { angle: 0, amplitude: 30, width: 0.1 },
  { angle: 15, amplitude: -7.5, width: 0.1 },
  { angle: 100, amplitude: 0.75, width: 0.4 },
];

/** A beat that begins in a ventricle: no P, a broad and tall R, a T against it. Not from the paper. */
const ventricularWaves: EcgWaves = [
  { angle: -70, amplitude: 0, width: 0.25 },
  { angle: -25, amplitude: -1, width: 0.15 },
  { angle: 0, amplitude: 5, width: 0.28 },
  { angle: 40, amplitude: -0.6, width: 0.2 },
  { angle: 110, amplitude: -0.6, width: 0.45 },
];

/** The waves' amplitudes in a lead relative to lead II, by lead, for a heart's axis near 60°. */
const leadAmplitudes: Record<EcgLead, readonly number[]> = (() => {
  const one = [0.7, 0.9, 0.62, 0.5, 0.75];
  const two = [1, 1, 1, 1, 1];
  const mix = (a: number, b: number): number[] => one.map((v, i) => a * v + b * two[i]);
  return {
    I: one,
    II: two,
    III: mix(-1, 1), // Einthoven: III = II − I, and Goldberger's leads from I and II
    aVR: mix(-0.5, -0.5),
    aVL: mix(1, -0.5),
    aVF: mix(-0.5, 1),
    V1: [0.5, 0, 0.2, 3.5, -0.3],
    V2: [0.6, 0, 0.45, 5, 1.3],
    V3: [0.7, 0.2, 0.85, 3.5, 1.5],
    V4: [0.8, 0.6, 1.4, 2, 1.4],
    V5: [0.8, 0.9, 1.3, 1, 1.1],
    V6: [0.8, 1, 1, 0.5, 0.9],
  };
})();

/**
 * What beats when. `sinus`: the healthy rhythm, its rate swaying with breath and blood pressure. `bigeminy`: every
 * other beat is a premature ventricular one. `ventricular`: every beat is ventricular. `fibrillation`: the atria
 * quiver, so that there is no P, a restless baseline (4 to 9 Hz) and no regularity.
 */
export const ecgRhythms = ['sinus', 'bigeminy', 'ventricular', 'fibrillation'] as const;
export type EcgRhythm = (typeof ecgRhythms)[number];

export interface EcgOptions {
  /** 'sinus' unless given. */
  rhythm?: EcgRhythm;
  /** 10 unless given. */
  seconds?: number;
  /** Samples per second; 360 unless given. */
  sampleRate?: number;
  seed?: number;
  /** ['II'] unless given. */
  leads?: readonly EcgLead[];
  /** Beats per minute; 70 unless given. */
  heartRate?: number;
  /** Standard deviation of the heart rate in beats per minute; 2 unless given, 25 in fibrillation. */
  heartRateDeviation?: number;
  /** Power of the slow (0.1 Hz, Mayer waves) over the fast (breathing) variation; 0.5 unless given. */
  lowToHigh?: number;
  /** Breaths per second; 0.25 unless given. */
  respiration?: number;
  /** Height of R over the baseline in lead II, in mV; 1.2 unless given. */
  amplitude?: number;
  /** How far breathing pulls the baseline, in mV; 0.15 unless given. */
  wander?: number;
  /** Root mean square of added white noise, in mV; 0 unless given. */
  noise?: number;
  /** Sinus rhythm: chance that a beat is a premature ventricular one, 0 to 0.5; 0 unless given. Never two in a row. */
  premature?: number;
  /** Of normal beats; table 1 of the paper unless given. */
  waves?: EcgWaves;
}

/** A beat: the moment of its R wave in s, and what it is: conducted from the atria, or begun in a ventricle. */
export interface EcgBeat {
  time: number;
  kind: 'normal' | 'ventricular';
}

/** Seconds simulated before the first sample, for the model to settle (its time constant is 1 s). */
const settling = 8;
/** The model is integrated with at least this many steps a second. */
const leastSteps = 500;

/**
 * A generated ECG of kind 'signal', `[time, leads]` in mV, and the beats whose R wave lies in it.
 *
 * @throws NdconvError ShapeError when a number is out of its range.
 */
export const synthesizeEcg = (options: EcgOptions = {}): { field: Field; beats: EcgBeat[] } => {
  const rhythm = options.rhythm ?? 'sinus';
  if (options.premature !== undefined && rhythm !== 'sinus') {
    throw new NdconvError('ShapeError', `ecg: premature has no effect in rhythm ${rhythm}; leave it out`, {
      rhythm,
    });
  }
  const given: Given = { ...defaults, ...(rhythm === 'fibrillation' ? fibrillating : {}), ...options };
  for (const [name, [low, high]] of Object.entries(ranges)) {
    const value = given[name as keyof typeof ranges];
    if (value >= low && value <= high) continue;
    throw new NdconvError('ShapeError', `ecg: ${name} ${value} is not between ${low} and ${high}`, {
      [name]: value,
    });
  }
  const { seconds, sampleRate, seed, leads, heartRate, amplitude, noise } = given;
  const length = Math.round(seconds * sampleRate);
  if (leads.length === 0 || length < 1) {
    throw new NdconvError(
      'ShapeError',
      `ecg: ${leads.length} leads of ${length} samples; give at least 1 of each`,
      {
        leads: leads.length,
        length,
      },
    );
  }
  // Lead II of a regular heart without wander says how many mV a unit of the model is.
  const mean = 60 / heartRate;
  const regular = Array.from(
    { length: Math.ceil(settling / mean) + 3 },
    (_, i): EcgBeat => ({
      time: i * mean - settling,
      kind: 'normal',
    }),
  );
  const unit = simulate(regular, { ...given, leads: ['II'], wander: 0 }, Math.ceil(mean * sampleRate), 1);
  const scale = amplitude / (unit.reduce((a, b) => Math.max(a, b)) - unit.toSorted()[unit.length >> 1]);

  const beats = beatTimes(given, createRandom(seed, 'ecg beats'));
  const data = simulate(beats, given, length, scale);
  if (rhythm === 'fibrillation') addQuiver(data, given, createRandom(seed, 'ecg quiver'));
  if (noise > 0) {
    const random = createRandom(seed, 'ecg noise');
    for (let i = 0; i < data.length; i++) data[i] += noise * random.normal();
  }
  return {
    field: {
      kind: 'signal',
      shape: [length, leads.length],
      data,
      axes: [{ name: 'time', spacing: 1 / sampleRate, unit: 's' }],
      source: `generated ECG (seed ${seed})`,
      valueUnit: 'mV',
      sampleType: 'float32',
      channelNames: [...leads],
    },
    beats: beats.filter(b => b.time >= 0 && b.time < seconds),
  };
};

const defaults = {
  rhythm: 'sinus' as EcgRhythm,
  seconds: 10,
  sampleRate: 360,
  seed: 0,
  leads: ['II'] as readonly EcgLead[],
  heartRate: 70,
  heartRateDeviation: 2,
  lowToHigh: 0.5,
  respiration: 0.25,
  amplitude: 1.2,
  wander: 0.15,
  noise: 0,
  premature: 0,
  waves: normalWaves,
};

/** Other numbers of fibrillation. */
const fibrillating = {
  heartRate: 95,
  heartRateDeviation: 25,
  waves: [{ ...normalWaves[0], amplitude: 0 }, ...normalWaves.slice(1)] as unknown as EcgWaves,
};

const ranges = {
  seconds: [0.01, 36000],
  sampleRate: [50, 10000],
  heartRate: [20, 250],
  heartRateDeviation: [0, 40],
  lowToHigh: [0, 100],
  respiration: [0.05, 1],
  amplitude: [0.001, 100],
  wander: [0, 10],
  noise: [0, 10],
  premature: [0, 0.5],
} as const;

type Given = typeof defaults;

/**
 * Beats from before the first sample to after the last. Intervals vary with a spectrum of two Gaussian peaks (eq. 6
 * of the paper), here a sum of cosines of random phases; a premature beat comes after 0.6 of the interval, and the
 * pause after it makes up for that. In fibrillation intervals know nothing of each other.
 */
const beatTimes = (given: Given, random: Random): EcgBeat[] => {
  const { rhythm, seconds, heartRate, heartRateDeviation, lowToHigh, respiration, premature } = given;
  const mean = 60 / heartRate;
  const step = Math.min(0.005, 0.5 / (seconds + settling));
  const tones: { frequency: number; amplitude: number; phase: number }[] = [];
  let power = 0;
  for (let frequency = step; frequency < 1.5; frequency += step) {
    const peak = (center: number): number => Math.exp(-((frequency - center) ** 2) / (2 * 0.01 ** 2));
    const density = lowToHigh * peak(0.1) + peak(respiration);
    const phase = 2 * Math.PI * random.uniform();
    if (density < 1e-6) continue;
    tones.push({ frequency, amplitude: Math.sqrt(2 * density), phase });
    power += density;
  }
  const deviation = heartRateDeviation * (mean / heartRate); // of the interval, to first order
  const interval = (time: number): number => {
    if (rhythm === 'fibrillation') return Math.max(0.45 * mean, mean + deviation * random.normal());
    let sum = 0;
    for (const { frequency, amplitude, phase } of tones) {
      sum += amplitude * Math.cos(2 * Math.PI * frequency * time + phase);
    }
    return Math.max(0.3 * mean, mean + (deviation * sum) / Math.sqrt(power));
  };

  const ordinary = rhythm === 'ventricular' ? 'ventricular' : 'normal';
  const chance = rhythm === 'bigeminy' ? 1 : premature;
  const beats: EcgBeat[] = [{ time: -settling - mean, kind: ordinary }];
  for (let early = 0; beats.at(-1)!.time < seconds + mean; ) {
    const { time, kind } = beats.at(-1)!;
    const next = interval(time);
    const isPremature = kind === 'normal' && random.uniform() < chance;
    const length = isPremature ? 0.6 * next : next + early;
    early = isPremature ? 0.4 * next : 0;
    beats.push({ time: time + length, kind: isPremature ? 'ventricular' : ordinary });
  }
  return beats;
};

/** Adds the quiver of fibrillating atria: waves of 4 to 9 Hz that drift, as large in each lead as its P would be. */
const addQuiver = (data: Float32Array, { leads, sampleRate, amplitude }: Given, random: Random): void => {
  const tones = Array.from({ length: 5 }, () => ({
    frequency: 4 + 5 * random.uniform(),
    drift: 0.1 + 0.3 * random.uniform(),
    phase: 2 * Math.PI * random.uniform(),
  }));
  const gains = leads.map(lead => leadAmplitudes[lead][0]);
  for (let i = 0; i < data.length / leads.length; i++) {
    const time = i / sampleRate;
    let sum = 0;
    for (const { frequency, drift, phase } of tones) {
      sum += Math.sin(2 * Math.PI * frequency * time + 2 * Math.sin(2 * Math.PI * drift * time) + phase);
    }
    for (let l = 0; l < leads.length; l++) data[i * leads.length + l] += 0.03 * amplitude * gains[l] * sum;
  }
};

/**
 * Integrates ż = −Σ a·Δθ·exp(−Δθ²/2b²) − (z − z0) for every lead by the fourth-order Runge-Kutta method, `[length,
 * leads]`. On the model's limit cycle the angle θ alone moves, from 0 at one R wave to 2π at the next.
 */
const simulate = (beats: EcgBeat[], given: Given, length: number, scale: number): Float32Array => {
  const { sampleRate, heartRate, leads, waves, wander, respiration } = given;
  // As the authors' ECGSYN: at higher rates the waves take up more of the cycle.
  const stretch = Math.sqrt(heartRate / 60);
  const angleStretch = [Math.sqrt(stretch), stretch, 1, stretch, Math.sqrt(stretch)];
  const prepare = (set: EcgWaves): { angle: number; amplitude: number; spread: number }[] =>
    set.map(({ angle, amplitude, width }, i) => ({
      angle: (angle * Math.PI * angleStretch[i]) / 180,
      amplitude,
      spread: 2 * (width * stretch) ** 2,
    }));
  const sets = { normal: prepare(waves), ventricular: prepare(ventricularWaves) };
  const gains = leads.map(lead => leadAmplitudes[lead]);

  // The push on every lead at a time; `beat` follows the time.
  let beat = 0;
  const push = (time: number, out: Float64Array): void => {
    while (beat < beats.length - 2 && beats[beat + 1].time <= time) beat++;
    const interval = beats[beat + 1].time - beats[beat].time;
    const turn = (time - beats[beat].time) / interval;
    const speed = 60 / heartRate / interval;
    const nearer = turn < 0.5 ? beats[beat] : beats[beat + 1];
    const theta = 2 * Math.PI * (turn < 0.5 ? turn : turn - 1);
    const set = sets[nearer.kind];
    out.fill((wander / scale) * Math.sin(2 * Math.PI * respiration * time));
    for (let i = 0; i < set.length; i++) {
      let delta = theta - set[i].angle;
      delta -= 2 * Math.PI * Math.round(delta / (2 * Math.PI));
      const force = -speed * set[i].amplitude * delta * Math.exp((-delta * delta) / set[i].spread);
      for (let lead = 0; lead < gains.length; lead++) out[lead] += gains[lead][i] * force;
    }
  };

  const substeps = Math.ceil(leastSteps / sampleRate);
  const h = 1 / (sampleRate * substeps);
  const lead = Math.ceil(settling * sampleRate) * substeps;
  const z = new Float64Array(leads.length);
  let [start, middle, end] = [0, 0, 0].map(() => new Float64Array(leads.length));
  const data = new Float32Array(length * leads.length);
  push(-lead * h, end);
  for (let n = -lead; n < length * substeps; n++) {
    if (n >= 0 && n % substeps === 0)
      for (let l = 0; l < z.length; l++) data[(n / substeps) * z.length + l] = scale * z[l];
    [start, end] = [end, start];
    push((n + 0.5) * h, middle);
    push((n + 1) * h, end);
    for (let l = 0; l < z.length; l++) {
      const k1 = start[l] - z[l];
      const k2 = middle[l] - (z[l] + 0.5 * h * k1);
      const k3 = middle[l] - (z[l] + 0.5 * h * k2);
      const k4 = end[l] - (z[l] + h * k3);
      z[l] += (h / 6) * (k1 + 2 * k2 + 2 * k3 + k4);
    }
  }
  return data;
};
