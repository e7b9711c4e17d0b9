// Recordings and tables: WFDB, EDF and CSV. Real records against the checksums in their headers and the counts of beats
// that PhysioNet publishes; what the formats say of time, units and marks; what has to be refused, with the place.

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import { NdconvError } from '../../src/errors.ts';
import { annotatedSample } from '../../src/formats/field.ts';
import { peekField, readField, writeField } from '../../src/formats/index.ts';
import { encodeAnnotations, readAnnotations } from '../../src/formats/wfdb-annotations.ts';
import { createRandom } from '../../src/random.ts';
import { largestDifference, makeEcg, makeEdf, refuses, temporaryFolder, testWith } from './support.ts';

const folder = temporaryFolder();
const put = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

const countOf = (labels: readonly { label: string }[] = []): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { label } of labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
};

testWith('ecg/100.hea', 'wfdb: record 100, its checksums, first samples and beats', async (t, path) => {
  const field = await readField(path);
  t.deepEqual(field.shape, [650000, 2]);
  t.equal(field.axes[0].spacing, 1 / 360);
  t.deepEqual(field.channelNames, ['MLII', 'V5']);
  t.equal(field.valueUnit, 'mV');
  t.ok(largestDifference(field.data.subarray(0, 2), [(995 - 1024) / 200, (1011 - 1024) / 200]) < 1e-6);
  t.deepEqual(countOf(field.annotations), { '+': 1, N: 2239, A: 33, V: 1 });
  const [rhythm, beat] = field.annotations!;
  t.deepEqual(rhythm, { at: 18 / 360, label: '+', text: '(N' });
  t.equal(annotatedSample(field, beat), 77);
  const byData = await peekField(path.replace('.hea', '.dat'));
  t.deepEqual(byData.shape, field.shape, 'the samples may be named instead of the header');
});

testWith('ecg/200.hea', 'wfdb: record 200, with ectopic beats', async (t, path) => {
  const { annotations } = await peekField(path);
  t.deepEqual(countOf(annotations), { '+': 148, V: 826, N: 1743, A: 30, '~': 43, F: 2 });
});

testWith('ecg/s0010_re.hea', 'wfdb: fifteen leads in two files of 16 bits', async (t, path) => {
  const field = await readField(path);
  t.deepEqual(field.shape, [38400, 15]);
  t.equal(field.channelNames?.[14], 'vz');
  t.ok(Math.abs(field.data[0] + 489 / 2000) < 1e-6);
  t.equal(field.annotations, undefined);
});

test('wfdb: formats, baselines, missing samples', async t => {
  put('u.dat', Uint8Array.of(0x00, 0x80, 0xff, 0x7f, 0x10, 0x80));
  const header = put('u.hea', 'u 1 100 3\nu.dat 160 10(-5)/uV 16 0 0 0 0 temperature probe\n');
  const offset = await readField(header).catch((error: NdconvError) => error.message);
  t.match(String(offset), /add up to 15 and its header says 0/, 'a wrong checksum is refused');
  put('u.hea', 'u 1 100 3\nu.dat 160 10(-5)/uV 16 0 0 15 0 temperature probe\n');
  const field = await readField(header);
  t.ok(largestDifference(field.data, [0.5, 0.4, 2.1]) < 1e-6, 'offset binary, baseline and gain');
  t.deepEqual([field.channelNames, field.valueUnit], [['temperature probe'], 'uV']);
  put('m.dat', Buffer.from(Int16Array.of(1, -32768, 3).buffer));
  const gaps = put('m.hea', 'm 1 100\nm.dat 16\n');
  await refuses(t, 'missing samples', () => readField(gaps), /1 of its 3 samples are NaN/);
  const allowed = await readField(gaps, { allowNaN: true });
  t.ok(
    largestDifference([allowed.data[0], allowed.data[2]], [1 / 200, 3 / 200]) < 1e-6,
    'gain 200 by default',
  );
  put('f.dat', Buffer.from(Int16Array.of(1, 2, 10, 3, 4, 20).buffer));
  const rates = put('f.hea', 'f 2 100 2\nf.dat 16x2 1/mV 16 0 0 0 0 fast\nf.dat 16 1/mV 16 0 0 30 0 slow\n');
  put('f.hea', readFileSync(rates, 'latin1').replace('0 0 0 0 fast', '0 0 10 0 fast'));
  const notes: string[] = [];
  const fast = await readField(rates, { note: message => notes.push(message) });
  t.deepEqual([...fast.data], [1, 2, 3, 4]);
  t.equal(fast.axes[0].spacing, 1 / 200);
  t.match(notes.join(), /slow have another sample rate/);
  t.deepEqual([...(await readField(rates, { entry: 'slow' })).data], [10, 20]);
  await refuses(t, 'no such signal', () => readField(rates, { entry: 'x' }), /one of fast, slow/);
});

test('wfdb: headers that cannot be', async t => {
  put('h.dat', new Uint8Array(12));
  const says = (text: string, ...patterns: RegExp[]) =>
    refuses(t, text, () => readField(put('h.hea', text)), ...patterns);
  await says('h 2 100 3\nh.dat 16\n', /announces 2 signals but describes 1/);
  await says('h 1 100 3\nh.dat 8\n', /format 8, and 16, 24/);
  await says('h 1 100 30\nh.dat 16\n', /30 frames .* \(60 bytes\) but only 12/);
  await says('h 1 100 3\n../h.dat 16\n', /no file name/);
  await says('h 1 100 3\nnone.dat 16\n', /which is not there/);
  await says('h/3 1 100 3\nh 1\n', /several segments/);
  await says('h 1 -1 3\nh.dat 16\n', /sample rate is -1/);
  await says('h 2 100\nh.dat 16\nh.dat 212\n', /in the formats 16 and 212/);
});

test('wfdb: annotations of every kind come back, and a cut file is refused', async t => {
  const table = [
    { sample: 0, symbol: 'N', text: '' },
    { sample: 1023, symbol: 'V', text: '' },
    { sample: 200_000, symbol: '+', text: '(AFIB' },
    { sample: 200_001, symbol: 'own mark', text: '' },
  ];
  const bytes = encodeAnnotations(table);
  const back = readAnnotations(bytes, 'x.atr');
  t.deepEqual(
    back.map(({ sample, symbol, text }) => ({ sample, symbol, text })),
    [...table.slice(0, 3), { sample: 200_001, symbol: '"', text: 'own mark' }],
  );
  for (let length = 0; length < bytes.length; length++)
    t.throws(
      () => readAnnotations(bytes.subarray(0, length), 'x.atr'),
      /x\.atr: at byte/,
      `cut at ${length}`,
    );
  t.throws(
    () => readAnnotations(Uint8Array.of(0, 59 << 2, 0xff, 0xff, 0xff, 0xff, 0, 4), 'x'),
    /before the first/,
  );
  t.end();
});

const record = (onset: number, ...texts: string[]): string =>
  [`+${onset}\x14\x14`, ...texts].join('\0') + '\0';

test('edf: physical values, rates, annotations', async t => {
  const path = put(
    'night.edf',
    makeEdf({
      records: 2,
      duration: 0.5,
      reserved: 'EDF+C',
      signals: [
        {
          label: 'EEG Fpz-Cz',
          unit: 'uV',
          range: [-200, 200],
          stored: [-2000, 2000],
          perRecord: 4,
          values: [0, 10, 20, 30, 40, 50, 60, -70],
        },
        {
          label: 'EEG Pz-Oz',
          unit: 'uV',
          range: [0, 1],
          stored: [0, 10],
          perRecord: 4,
          values: [0, 1, 2, 3, 4, 5, 6, 7],
        },
        { label: 'Temp', unit: 'degC', perRecord: 1, values: [100, 200] },
        {
          label: 'EDF Annotations',
          perRecord: 40,
          values: [record(0, '+0.25\x1530\x14Sleep stage 2\x14'), record(0.5, '+0.1\x14Lights off\x14')],
        },
      ],
    }),
  );
  const notes: string[] = [];
  const field = await readField(path, { note: message => notes.push(message) });
  t.deepEqual(field.shape, [8, 2]);
  t.equal(field.axes[0].spacing, 1 / 8);
  t.deepEqual([field.channelNames, field.valueUnit], [['EEG Fpz-Cz', 'EEG Pz-Oz'], 'µV']);
  const first = field.data.filter((_, i) => i % 2 === 0);
  t.ok(largestDifference(first, [0, 1, 2, 3, 4, 5, 6, -7]) < 1e-5);
  t.ok(Math.abs(field.data[15] - 0.7) < 1e-6);
  t.deepEqual(field.annotations, [
    { at: 0.1, label: 'Lights off' },
    { at: 0.25, label: 'Sleep stage 2', duration: 30 },
  ]);
  t.match(notes.join(), /Temp have another sample rate/);
  t.deepEqual((await peekField(path)).shape, [8, 2]);
  t.deepEqual((await readField(path, { entry: 'Temp' })).shape, [2, 1]);
});

test('edf: 24 bits, and what is refused', async t => {
  const wide = makeEdf({
    records: 1,
    duration: 1,
    wide: true,
    signals: [
      {
        label: 'A1',
        unit: 'uV',
        range: [-8388608, 8388607],
        stored: [-8388608, 8388607],
        perRecord: 2,
        values: [-5, 8000000],
      },
    ],
  });
  t.deepEqual([...(await readField(put('w.bdf', wide))).data], [-5, 8000000]);
  const plain = { records: 2, duration: 1, signals: [{ label: 'A', perRecord: 2, values: [1, 2, 3, 4] }] };
  const says = (bytes: Buffer, ...patterns: RegExp[]) =>
    refuses(t, String(patterns[0]), () => readField(put('bad.edf', bytes)), ...patterns);
  await says(makeEdf(plain).subarray(0, -1), /2 data records of 4 bytes \(8 bytes\) but only 7/);
  const hole = {
    ...plain,
    reserved: 'EDF+D',
    signals: [...plain.signals, { label: 'EDF Annotations', perRecord: 10, values: [record(0), record(9)] }],
  };
  await says(makeEdf(hole), /interrupted: data record 2 begins at 9 s instead of 1 s/);
  await says(makeEdf({ ...plain, duration: 0 }), /no samples over time/);
  const stored: [number, number] = [3, 3];
  await says(makeEdf({ ...plain, signals: [{ ...plain.signals[0], stored }] }), /stored range 3 to 3/);
  const unknown = makeEdf(plain);
  unknown.write('-1      ', 236, 'latin1');
  t.deepEqual((await readField(put('open.edf', unknown))).shape, [4, 1], 'a number of records not known');
});

test('csv: a time column gives the rate, in any unit', async t => {
  const field = await readField(
    put('a.csv', '\ufeff# made\n"time (ms)";"I, left (mV)";II (mV)\n0;1;2\n4;3;\n8;5;-6e-1\n'),
    { allowNaN: true },
  );
  t.deepEqual(field.shape, [3, 2]);
  t.equal(field.kind, 'signal');
  t.equal(field.axes[0].spacing, 1 / 250);
  t.deepEqual([field.channelNames, field.valueUnit], [['I, left', 'II'], 'mV']);
  t.ok(Number.isNaN(field.data[3]));
  const rounded = Array.from({ length: 400 }, (_, i) => `${(i / 360).toFixed(4)},${i}`).join('\n');
  t.equal((await readField(put('r.csv', `t,x\n${rounded}`))).axes[0].spacing, 1 / 360, 'rounded times');
  const bare = await readField(put('b.csv', '1,2\n3,4\n5,6\n'));
  t.deepEqual([bare.kind, bare.shape], ['array', [3, 2, 1]]);
  const given = await readField(put('c.csv', 'a,b\n1,2\n3,4\n'), {
    kind: 'signal',
    channels: 'last',
    spacing: [0.5],
  });
  t.deepEqual([given.shape, given.channelNames, given.axes[0].spacing], [[2, 2], ['a', 'b'], 0.5]);
});

test('csv: what is refused is refused at its line', async t => {
  const says = (text: string, ...patterns: RegExp[]) =>
    refuses(t, text, () => readField(put('bad.csv', text)), ...patterns);
  await says(
    'time,x\n0,1\n1,2\n2,3\n4,4\n5,5\n',
    /from line 4 to line 5 it goes from 2 to 4 s, and elsewhere by 1 s/,
  );
  await says('time,x\n0,1\n1,2\n1,3\n2,4\n', /not evenly spaced.*from line 3 to line 4/);
  await says('time,x\n0,1\n1,2,3\n', /line 3 has 3 values and the lines before 2/);
  await says('time,x\n0,1\n1,two\n', /line 3, column x: "two" is no number/);
  await says('time,x\n0,"1\n1,2\n', /quote in line 2 is not closed|does not begin as/);
  await says('time,x\n0,1\n', /at least two/);
  await says('time\n0\n1\n', /no values/);
  await refuses(
    t,
    'a rate twice',
    () => readField(put('d.csv', 'time,x\n0,1\n1,2\n'), { spacing: [1] }),
    /says its sample rate/,
  );
});

test('recordings: damaged files end in a field or a FormatError, soon', async t => {
  await writeField(makeEcg(), join(folder, 'fuzz.hea'));
  await writeField({ ...makeEcg(), annotations: undefined }, join(folder, 'fuzz.csv'));
  const night = makeEdf({
    records: 3,
    duration: 1,
    signals: [
      { label: 'A', perRecord: 20, values: new Array<number>(60).fill(7) },
      { label: 'EDF Annotations', perRecord: 30, values: [record(0), record(1, '+1.5\x14x\x14'), record(2)] },
    ],
  });
  writeFileSync(join(folder, 'fuzz.edf'), night);
  const random = createRandom(5, 'recordings');
  const below = (n: number): number => random.integer(n);
  for (const name of ['fuzz.hea', 'fuzz.dat', 'fuzz.atr', 'fuzz.csv', 'fuzz.edf']) {
    const path = join(folder, name);
    const whole = readFileSync(path);
    const keep = join(folder, `${name}.keep`);
    copyFileSync(path, keep);
    const strange: unknown[] = [];
    let slowest = 0;
    for (let time = 0; time < 250; time++) {
      let bytes = Buffer.from(whole);
      const head = Math.min(bytes.length, name.endsWith('.edf') ? 800 : 4000);
      for (let hit = below(4); hit >= 0; hit--) bytes[below(head)] = below(4) ? 32 + below(95) : below(256);
      if (below(4) === 0) bytes = bytes.subarray(0, below(bytes.length) + 1);
      if (below(4) === 0)
        bytes = Buffer.concat([
          bytes.subarray(0, below(head)),
          Buffer.from('99999999999'),
          bytes.subarray(below(head)),
        ]);
      writeFileSync(path, bytes);
      const started = performance.now();
      for (const read of [peekField, readField])
        await read(name === 'fuzz.dat' || name === 'fuzz.atr' ? join(folder, 'fuzz.hea') : path, {
          allowNaN: true,
        }).catch(error => {
          if (!(error instanceof NdconvError && error.tag === 'FormatError')) strange.push(error);
        });
      slowest = Math.max(slowest, performance.now() - started);
    }
    copyFileSync(keep, path);
    t.deepEqual(strange, [], name);
    t.ok(slowest < 2000, `${name}: the slowest took ${slowest.toFixed()} ms`);
  }
});
