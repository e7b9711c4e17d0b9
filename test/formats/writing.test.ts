// What holds for writing in every format: a file appears whole or not at all, clipping is counted, precision is
// chosen, and refusals name the way out.

import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'tape';
import { expectWritable, readField, writableExtensions, writeField } from '../../src/formats/index.ts';
import {
  counting,
  makeArray,
  makeImage,
  makeSound,
  makeVolume,
  partials,
  refuses,
  temporaryFolder,
} from './support.ts';

const folder = temporaryFolder();

test('writing: a failure leaves what was there', async t => {
  const path = join(folder, 'kept.png');
  writeFileSync(path, 'what was there');
  const image = makeImage(4, 4, 3);
  image.data[5] = Number.NaN;
  await refuses(
    t,
    'NaN',
    () => writeField(image, path),
    /1 of 48 samples/,
    /\[0, 1, 2\]/,
    /uint8 cannot hold them/,
  );
  await refuses(t, 'five channels', () => writeField(makeImage(4, 4, 5), path), /1 to 4 channels/);
  t.equal(readFileSync(path, 'utf8'), 'what was there');
  const blocked = join(folder, 'blocked.png');
  mkdirSync(join(blocked, 'full'), { recursive: true });
  await refuses(
    t,
    'a folder in its place',
    () => writeField(makeImage(4, 4, 3), blocked),
    /cannot be written/,
  );
  await refuses(
    t,
    'a file as folder',
    () => writeField(makeImage(4, 4, 3), join(path, 'x.png')),
    /cannot be written/,
  );
  t.deepEqual(partials(folder), []);
  if (process.getuid?.() === 0) t.comment('as root every folder can be written to: rights are not tested');
  else {
    const closed = join(folder, 'closed');
    mkdirSync(closed);
    chmodSync(closed, 0o500);
    await refuses(
      t,
      'no rights',
      () => writeField(makeImage(4, 4, 3), join(closed, 'x.png')),
      /cannot be written/,
    );
    chmodSync(closed, 0o700);
  }
});

test('writing: folders are made, and the target decides the format', async t => {
  const path = join(folder, 'a/b/c.wav');
  await writeField(makeSound(10, 1), path);
  t.ok(existsSync(path));
  const temporary = join(folder, 'run-7f.tmp');
  const result = await writeField(makeVolume(), temporary, { target: join(folder, 'final.nii.gz') });
  t.deepEqual([result.format, result.files], ['nifti', [temporary]]);
  t.equal(readFileSync(temporary)[0], 0x1f, 'gzipped, as the target says');
  const detached = await writeField(makeVolume(), temporary, { target: join(folder, 'final.nhdr') });
  t.deepEqual(detached.files, [temporary, join(folder, 'final.raw.gz')]);
  t.match(readFileSync(temporary, 'latin1'), /data file: final\.raw\.gz\n/, 'named after the target');
});

test('writing: clipping is counted, rounding is told', async t => {
  const path = join(folder, 'clipped.nii');
  const volume = makeVolume();
  volume.data.set([40000, -40000, 32767.4, -32768.4, 32768]);
  const result = await writeField(volume, path);
  t.deepEqual([result.sampleType, result.clipped], ['int16', 3]);
  t.deepEqual([...(await readField(path)).data.slice(0, 5)], [32767, -32768, 32767, -32768, 32767]);
  const notes: string[] = [];
  const note = (message: string) => notes.push(message);
  await writeField({ ...volume, data: counting(60, 0, 1 / 60) }, path, { note });
  t.match(notes[0], /values between 0 and 0\.98\d* are rounded to int16; sampleType: float32 keeps them/);
  await writeField({ ...volume, data: counting(60, 0, 1 / 60) }, path, { note, sampleType: 'float32' });
  await writeField(makeVolume(), path, { note });
  t.equal(notes.length, 1);
});

test('writing: what cannot be, and what can', async t => {
  const volume = makeVolume();
  await refuses(
    t,
    'no extension',
    () => writeField(volume, join(folder, 'x')),
    /extension names no format/,
    /\.nii\.gz/,
  );
  await refuses(t, 'unknown', () => writeField(volume, join(folder, 'x.bmp')), /extension names no format/);
  await refuses(
    t,
    'read only',
    () => writeField(makeSound(9, 1), join(folder, 'x.mp3')),
    /can be read but not written/,
    /for sound data use .*\.wav/,
  );
  await refuses(
    t,
    'wrong kind',
    () => writeField(makeImage(3, 3, 1), join(folder, 'x.wav')),
    /this is image of shape 3×3×1/,
    /\.png/,
  );
  await refuses(
    t,
    'no fit',
    () => writeField({ ...volume, shape: [1, 2, 3, 4] }, join(folder, 'x.nii')),
    /do not fit together/,
  );
  t.equal(expectWritable(volume, 'x.mha').name, 'metaimage');
  t.ok(writableExtensions('volume').includes('.nii.gz') && !writableExtensions('volume').includes('.png'));
  t.ok(writableExtensions().includes('.wav') && !writableExtensions().includes('.mp3'));
  const types = await writeField(makeArray(3, 3), join(folder, 'x.nrrd'), { sampleType: 'float64' });
  t.equal(types.sampleType, 'float64');
  t.ok(
    readdirSync(folder).every(name => !name.startsWith('x.') || name === 'x.nrrd'),
    'refusals wrote nothing',
  );
});
