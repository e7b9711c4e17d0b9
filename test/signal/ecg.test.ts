// The generated ECG: beats where they are said to be, leads that obey Einthoven, rhythms that differ as they should.

import test from 'tape';
import { type EcgOptions, ecgLeads, ecgRhythms, synthesizeEcg } from '../../src/signal/ecg.ts';

const channel = (data: Float32Array, c: number, channels: number): Float32Array =>
  Float32Array.from({ length: data.length / channels }, (_, i) => data[i * channels + c]);

/** Standard deviation of the intervals between beats over their mean. */
const irregularity = (options: EcgOptions): number => {
  const times = synthesizeEcg(options).beats.map(b => b.time);
  const intervals = times.slice(1).map((t, i) => t - times[i]);
  const mean = intervals.reduce((a, b) => a + b) / intervals.length;
  return Math.sqrt(intervals.reduce((a, b) => a + (b - mean) ** 2, 0) / intervals.length) / mean;
};

test('ecg: a field that says what it is', t => {
  const { field } = synthesizeEcg({ seconds: 2, sampleRate: 250, leads: ['I', 'V1'], seed: 3 });
  t.deepEqual(field.shape, [500, 2]);
  t.equal(field.kind, 'signal');
  t.equal(field.valueUnit, 'mV');
  t.deepEqual(field.channelNames, ['I', 'V1']);
  t.equal(field.axes[0].spacing, 1 / 250);
  t.match(field.source, /generated/);
  t.end();
});

test('ecg: as many beats as the heart rate says, each with its R wave where it is said to be', t => {
  const { field, beats } = synthesizeEcg({ seconds: 30, heartRate: 80, wander: 0, seed: 5 });
  t.ok(Math.abs(beats.length - 40) <= 1, `${beats.length} beats`);
  for (const { time } of beats.slice(1, -1)) {
    const from = Math.round((time - 0.2) * 360);
    const part = field.data.subarray(from, Math.round((time + 0.2) * 360));
    const at = (from + part.indexOf(Math.max(...part))) / 360;
    if (Math.abs(at - time) > 0.02) t.fail(`R at ${at} s instead of ${time} s`);
  }
  const highest = Math.max(...field.data);
  t.ok(highest > 1 && highest < 1.4, `R of ${highest} mV, 1.2 asked for`);
  t.end();
});

test('ecg: Einthoven and Goldberger hold between the limb leads', t => {
  const leads = ecgLeads.slice(0, 6);
  const { data } = synthesizeEcg({ seconds: 3, leads, wander: 0 }).field;
  const [i, ii, iii, avr, avl, avf] = leads.map((_, c) => channel(data, c, 6));
  const worst = (of: (n: number) => number): number => {
    let most = 0;
    for (let n = 0; n < i.length; n++) most = Math.max(most, Math.abs(of(n)));
    return most;
  };
  t.ok(worst(n => i[n] + iii[n] - ii[n]) < 1e-5, 'I + III = II');
  t.ok(worst(n => avr[n] + avl[n] + avf[n]) < 1e-5, 'aVR + aVL + aVF = 0');
  t.end();
});

test('ecg: rhythms', t => {
  const base = { seconds: 60, seed: 2 };
  t.ok(synthesizeEcg(base).beats.every(b => b.kind === 'normal'));
  const bigeminy = synthesizeEcg({ ...base, rhythm: 'bigeminy' }).beats;
  t.ok(
    bigeminy.every((b, i) => i === 0 || b.kind !== bigeminy[i - 1].kind),
    'normal and premature beats take turns',
  );
  t.ok(synthesizeEcg({ ...base, rhythm: 'ventricular' }).beats.every(b => b.kind === 'ventricular'));
  t.ok(irregularity(base) < 0.06, 'sinus rhythm is regular');
  t.ok(irregularity({ ...base, rhythm: 'fibrillation' }) > 0.15, 'fibrillation is not');
  const early = synthesizeEcg({ ...base, premature: 0.2 }).beats.filter(b => b.kind === 'ventricular').length;
  t.ok(early > 3 && early < 25, `${early} premature beats`);

  // Time spent above half of the R wave: broad beats spend more.
  const broad = (rhythm: (typeof ecgRhythms)[number]): number => {
    const { data } = synthesizeEcg({ ...base, rhythm, wander: 0, heartRate: 70 }).field;
    const top = Math.max(...data);
    return data.filter(v => v > top / 2).length / data.length;
  };
  t.ok(broad('ventricular') > 2 * broad('sinus'), 'ventricular beats are broad');

  // Between T and the next QRS only fibrillation is restless.
  const restless = (rhythm: (typeof ecgRhythms)[number]): number => {
    const { field, beats } = synthesizeEcg({ ...base, rhythm, wander: 0, heartRate: 60 });
    const values = beats.slice(2, -1).flatMap(b => {
      const part = [
        ...field.data.subarray(Math.round((b.time - 0.12) * 360), Math.round((b.time - 0.08) * 360)),
      ];
      return part.length > 0 ? [part[0]] : [];
    });
    const mean = values.reduce((a, b) => a + b) / values.length;
    return Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
  };
  t.ok(restless('fibrillation') > 3 * restless('sinus'), 'the baseline of fibrillation quivers');
  t.end();
});

test('ecg: noise of the size asked for; the same seed, the same bytes', t => {
  const clean = synthesizeEcg({ seconds: 20, seed: 4 }).field.data;
  const noisy = synthesizeEcg({ seconds: 20, seed: 4, noise: 0.1 }).field.data;
  const rms = Math.sqrt(noisy.reduce((sum, v, i) => sum + (v - clean[i]) ** 2, 0) / noisy.length);
  t.ok(Math.abs(rms - 0.1) < 0.005, `${rms} mV`);
  for (const rhythm of ecgRhythms) {
    const [a, b] = [1, 1].map(seed => synthesizeEcg({ seconds: 2, seed, rhythm }).field.data);
    t.deepEqual(a, b, rhythm);
  }
  t.notDeepEqual(synthesizeEcg({ seed: 1 }).field.data, synthesizeEcg({ seed: 2 }).field.data);
  t.end();
});

test('ecg: refusals', t => {
  t.throws(() => synthesizeEcg({ heartRate: 300 }), /heartRate 300 is not between 20 and 250/);
  t.throws(() => synthesizeEcg({ leads: [] }), /0 leads/);
  t.throws(() => synthesizeEcg({ rhythm: 'ventricular', premature: 0.1 }), /no effect/);
  t.end();
});
