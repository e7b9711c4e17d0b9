// A sound, its log-magnitude spectrogram, and the sound that is rebuilt from the magnitudes alone: what style transfer
// does with sounds, without the transfer. node examples/spectrogram.ts [sound] [result.wav]

import { fileURLToPath } from 'node:url';
import { fromSpectrogram, readField, toSpectrogram, writeField } from '../src/index.ts';

const recording = fileURLToPath(new URL('../node_modules/audio-lena/lena.wav', import.meta.url));
const [given = recording, target] = process.argv.slice(2);
const sound = await readField(given);
const seconds = 2;
const [, channels] = sound.shape;
const length = Math.min(sound.shape[0], Math.round(seconds / sound.axes[0].spacing));
const part = { ...sound, shape: [length, channels], data: sound.data.slice(0, length * channels) };

const { field, layout } = toSpectrogram(part);
console.log(
  `${length} samples in ${channels} channel(s) → ${field.shape.join('×')} values, a frame every ${(1000 * field.axes[0].spacing).toFixed(1)} ms`,
);
const { sound: rebuilt, convergence } = await fromSpectrogram(field.data, layout, { iterations: 30 });
console.log(`rebuilt: its magnitudes differ by ${convergence.toFixed(1)} dB`);
if (target) await writeField(rebuilt, target);
