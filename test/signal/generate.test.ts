// The step `generate`: what its check foretells is what its run makes, and a key of one generator is refused by others.

import test from 'tape';
import { type Field, sampleRateOf } from '../../src/formats/field.ts';
import type { Problem, ValuePlan } from '../../src/pipeline/step.ts';
import { generate } from '../../src/pipeline/steps/generate.ts';

/** The plan of the result and the problems of some parameters. */
async function check(params: Record<string, unknown>): Promise<{ value: ValuePlan; problems: string[] }> {
  const problems: string[] = [];
  const context = {
    params,
    seed: 1,
    problem: (p: Problem) => problems.push(`${p.at.join('.')}: ${p.message}`),
  };
  const { outputs } = await generate.check(context as unknown as Parameters<typeof generate.check>[0]);
  return { value: outputs.value, problems };
}

const make = async (params: Record<string, unknown>, seed = 1): Promise<Field> =>
  (await generate.run({ params, seed } as unknown as Parameters<typeof generate.run>[0])).value as Field;

test('generate: the plan is what is made', async t => {
  for (const params of [
    { what: 'bells', duration: 0.3, sampleRate: 8000, pitch: 300 },
    { what: 'foam', rank: 1, size: 30 },
    { what: 'foam', rank: 2, size: 20, bubble: 5 },
    { what: 'foam', rank: 3, size: 9 },
    { what: 'foam', rank: 4, size: 6, bubble: 3 },
    { what: 'ecg', duration: 2, sampleRate: 100, leads: ['I', 'V2'], rhythm: 'fibrillation' },
  ]) {
    const { value, problems } = await check(params);
    const field = await make(params);
    const name = JSON.stringify(params);
    t.deepEqual(problems, [], name);
    t.deepEqual(value.shape, field.shape, name);
    t.equal(value.fieldKind, field.kind, name);
    if ('sampleRate' in value)
      t.ok(Math.abs((value.sampleRate as number) - sampleRateOf(field)) < 1e-6, name);
    t.ok(
      field.data.every(Number.isFinite) && field.data.some(v => v !== field.data[0]),
      'values that differ',
    );
    t.match(field.source, /^generated /);
    t.deepEqual((await make(params)).data, field.data, 'the same seed, the same bytes');
    t.notDeepEqual((await make(params, 2)).data, field.data);
  }
});

test('generate: keys without effect and numbers out of range', async t => {
  const problemsOf = async (params: Record<string, unknown>) => (await check(params)).problems.join('\n');
  t.match(
    await problemsOf({ what: 'bells', rhythm: 'sinus' }),
    /rhythm: 'rhythm' has no effect with what: bells/,
  );
  t.match(await problemsOf({ what: 'foam', duration: 2 }), /'duration' has no effect with what: foam/);
  t.match(await problemsOf({ what: 'ecg', pitch: 440 }), /'pitch' has no effect with what: ecg/);
  t.match(
    await problemsOf({ what: 'ecg', rhythm: 'bigeminy', premature: 0.1 }),
    /'premature' has no effect with rhythm: bigeminy/,
  );
  t.match(await problemsOf({ what: 'bells', sampleRate: 360 }), /bells takes 8000 to 192000/);
  t.match(await problemsOf({ what: 'ecg', sampleRate: 44100 }), /ecg takes 50 to 10000/);
  t.match(await problemsOf({ what: 'ecg', sampleRate: 50, duration: 0.001 }), /hold no sample/);
});

test('generate: bells ring from the pitch asked for upwards', async t => {
  const low = await make({ what: 'bells', duration: 1, sampleRate: 8000, pitch: 200 });
  const high = await make({ what: 'bells', duration: 1, sampleRate: 8000, pitch: 800 });
  // Sign changes count twice the frequency that dominates.
  const crossings = ({ data }: Field): number =>
    data.filter((v, i) => i > 0 && v < 0 !== data[i - 1] < 0).length;
  t.ok(crossings(high) > 1.5 * crossings(low), `${crossings(low)} and ${crossings(high)}`);
});
