// A sound as a playable 16-bit WAV for the page: short enough to embed, two channels at most, at a sample rate that
// browsers play. The sound that a run writes is saved by its format and loses nothing.

import { channelsOf, type Field, sampleRateOf } from '../formats/field.ts';
import { wav } from '../formats/wav.ts';
import { resample } from '../signal/resample.ts';
import { limits } from './limits.ts';
import { count, formatNumber, formatPercent } from './text.ts';

export interface Clip {
  /** `data:audio/wav` URI. */
  uri: string;
  /** Seconds of the sound that it holds. */
  seconds: number;
  notes: string[];
}

/** Rates that every browser plays; what lies outside is resampled. */
const playable = { low: 8000, high: 96000 };
/** Speech and music stay recognisable down to this rate. */
const lowestReduced = 16000;

/** The sound, or as much of it as `bytes` of URI hold: reduced in rate first, then to one channel, then in length. */
export async function makeClip(field: Field, bytes: number): Promise<Clip> {
  const notes: string[] = [];
  const rate = sampleRateOf(field);
  const total = field.shape[0] / rate;
  const stride = channelsOf(field);
  let used = Math.min(2, stride);
  if (stride > 2) notes.push(`The player has the first two of ${stride} channels.`);

  // Base64 takes 4 bytes for 3; a sample takes 2.
  const samples = Math.floor((bytes * 0.75 - 64) / 2);
  let seconds = Math.min(total, limits.soundSeconds);
  let [up, down] = [1, 1];
  while ((rate * up) / down < playable.low) up++;
  while ((rate * up) / down > playable.high) down++;
  const fits = () => ((seconds * rate * up) / down) * used <= samples;
  while (!fits() && up === 1 && rate / (down + 1) >= lowestReduced) down++;
  if (!fits() && used === 2) {
    used = 1;
    notes.push('The player mixes the two channels into one to save room.');
  }
  if (!fits()) seconds = (samples * down) / (rate * up * used);

  const frames = Math.max(1, Math.min(field.shape[0], Math.round(seconds * rate)));
  let [silent, clipped] = [0, 0];
  const channels = Array.from({ length: used }, (_, channel) => {
    const line = new Float32Array(frames);
    const mix = used === 1 && stride > 1;
    for (let i = 0; i < frames; i++) {
      const first = field.data[i * stride + channel];
      const value = mix ? (first + field.data[i * stride + 1]) / 2 : first;
      if (!Number.isFinite(value)) silent++;
      else {
        if (Math.abs(value) > 1) clipped++;
        line[i] = value;
      }
    }
    return up === down ? line : resample(line, rate, (rate * up) / down);
  });
  const played = channels[0].length;
  const data = new Float32Array(played * used);
  channels.forEach((line, channel) => {
    for (let i = 0; i < played; i++) data[i * used + channel] = line[i];
  });
  const playedRate = (rate * up) / down;
  const clip: Field = {
    ...field,
    shape: [played, used],
    data,
    axes: [{ name: 'time', spacing: 1 / playedRate, unit: 's' }],
  };
  const { parts } = await wav.encode!(clip, 'clip.wav', { sampleType: 'int16' });

  if (frames < field.shape[0])
    notes.push(
      `The player has the first ${formatNumber(frames / rate, 3)} s of ${formatNumber(total, 3)} s.`,
    );
  if (up !== down)
    notes.push(
      `Resampled from ${formatNumber(rate, 6)} to ${formatNumber(playedRate, 6)} Hz for the player.`,
    );
  if (clipped > 0)
    notes.push(
      `${formatPercent(clipped, frames * used)} of the samples lie outside −1 to 1 and are clipped in the player.`,
    );
  if (silent > 0) notes.push(`${count(silent, 'sample')} not finite, played as silence.`);
  return {
    uri: `data:audio/wav;base64,${Buffer.concat(parts).toString('base64')}`,
    seconds: frames / rate,
    notes,
  };
}
