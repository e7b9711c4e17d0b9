// The shipped pipelines that compare heartbeats, voices and regions of a scan, in small.

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import { writeField } from '../../src/formats/index.ts';
import { createRandom } from '../../src/random.ts';
import { realData } from '../formats/support.ts';
import { soundOf } from '../signal/sounds.ts';
import { openSession } from './session.ts';
import { temporaryFolder } from './workshop.ts';

const session = openSession(join(import.meta.dirname, '../..'));
test.onFinish(() => session.close());
const runPipeline = (name: string, out: string, ...set: string[]) =>
  session.run(
    'run',
    `pipelines/${name}.yaml`,
    '--quiet',
    '--out',
    out,
    ...set.flatMap(pair => ['--set', pair]),
  );
const eerOf = (out: string): number => {
  const html = readFileSync(join(out, 'report.html'), 'utf8');
  return Number(/EER ([\d.]+) %/.exec(html)?.[1]);
};

test('ecg-verify.yaml', async t => {
  if (!existsSync(realData('ecg/200.hea'))) {
    t.skip('ecg/200.hea is not there (set NDCONV_TEST_DATA)');
    return t.end();
  }
  const out = temporaryFolder();
  const { code, err } = await runPipeline(
    'ecg-verify',
    out,
    `records=${realData('ecg')}`,
    'beats=60',
    'steps=60',
  );
  t.equal(code, 0, err);
  t.ok(eerOf(out) < 15, `equal error rate ${eerOf(out)} %`);
  t.ok(existsSync(join(out, 'beats.safetensors')), 'the network is kept');
  t.end();
});

/** A made voice: pulses of a pitch of its own that wanders, through three resonances of its own. */
function voice(speaker: number, take: number): Float32Array {
  const rate = 16000;
  const own = createRandom(speaker, 'voice');
  const random = createRandom(speaker, `take ${take}`);
  const pitch = 90 + 130 * own.uniform();
  const formants = [400 + 400 * own.uniform(), 1100 + 900 * own.uniform(), 2300 + 900 * own.uniform()];
  const samples = new Float32Array(3 * rate);
  let phase = 0;
  for (let i = 0; i < samples.length; i++) {
    phase += (pitch * (1 + 0.1 * Math.sin((2 * Math.PI * (1 + take) * i) / rate))) / rate;
    samples[i] = 0.003 * random.normal();
    if (phase < 1) continue;
    phase -= 1;
    samples[i] += 1;
  }
  for (const hz of formants) {
    const turn = (2 * Math.PI * hz * (0.95 + 0.1 * random.uniform())) / rate;
    const [a, b] = [2 * 0.97 * Math.cos(turn), -0.97 * 0.97];
    for (let i = 2; i < samples.length; i++) samples[i] += a * samples[i - 1] + b * samples[i - 2];
  }
  const loudest = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return samples.map(value => (0.8 * value) / loudest);
}

test('voice-verify.yaml, of made voices', async t => {
  const folder = temporaryFolder();
  for (let speaker = 0; speaker < 6; speaker++) {
    mkdirSync(join(folder, `voice${speaker}`));
    for (let take = 0; take < 2; take++)
      await writeField(soundOf(voice(speaker, take), 16000), join(folder, `voice${speaker}/${take}.wav`));
  }
  const out = temporaryFolder();
  const { code, err } = await runPipeline('voice-verify', out, `voices=${folder}`, 'steps=30');
  t.equal(code, 0, err);
  t.ok(eerOf(out) < 25, `equal error rate ${eerOf(out)} %`);
  t.end();
});

test('scan-regions.yaml', async t => {
  const out = temporaryFolder();
  const { code, err } = await runPipeline('scan-regions', out, 'step=[3,32,32]');
  t.equal(code, 0, err);
  const html = readFileSync(join(out, 'report.html'), 'utf8').replace(/<[^>]*>/g, ' ');
  const first = Number(/among the first 1\s+([\d.]+) %/.exec(html)?.[1]);
  t.ok(first > 20, `${first} % of the patches are found in their region, by chance 6 %`);
  t.end();
});
