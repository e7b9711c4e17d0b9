// Sounds side by side, each as a player over its spectrogram; the spectrograms share one range of decibels, so that
// a softer sound looks softer.

import type { Field } from '../formats/field.ts';
import { linearScale, logScale } from './axes.ts';
import { heatColours, heatGradient } from './colour-map.ts';
import { renderFrame } from './framed-picture.ts';
import { embedPicture } from './picture.ts';
import { makeClip } from './sound-clip.ts';
import { makeSpectrogram, type Spectrogram } from './spectrogram.ts';
import { escapeHtml, formatNumber } from './text.ts';
import { toByte, type Window } from './window.ts';

/** Decibels from the darkest to the brightest colour. */
const range = 80;

/** Largest part of a sound's room that its spectrogram takes; the player has the rest. */
const pictureShare = 0.25;

/** From `range` under the loudest point of all spectrograms up to it. */
function commonWindow(spectrograms: readonly Spectrogram[]): Window {
  let loudest = Number.NEGATIVE_INFINITY;
  for (const { decibels } of spectrograms) for (const value of decibels) if (value > loudest) loudest = value;
  const high = Number.isFinite(loudest) ? loudest : 0;
  return { low: high - range, high, rule: '' };
}

async function renderSpectrogram(
  spectrogram: Spectrogram,
  window: Window,
  seconds: number,
  label: string,
  bytes: number,
  width: number,
): Promise<string> {
  const { decibels, lowHertz, highHertz } = spectrogram;
  const pixels = new Uint8Array(decibels.length * 3);
  for (let i = 0; i < decibels.length; i++) {
    const byte = toByte(decibels[i], window);
    pixels.set(heatColours.subarray(3 * byte, 3 * byte + 3), 3 * i);
  }
  const { uri } = await embedPicture(
    { width: spectrogram.width, height: spectrogram.height, channels: 3, pixels },
    bytes,
  );
  const drawing = renderFrame({
    uri,
    alt: `${label}: spectrogram, ${formatNumber(seconds, 3)} s, ${formatNumber(lowHertz, 2)} to ${formatNumber(highHertz)} Hz`,
    width,
    height: width > 800 ? 260 : 220,
    x: linearScale(0, seconds, 6, false),
    y: logScale(lowHertz, highHertz, 5, false),
    xLabel: 'time (s)',
    yLabel: 'frequency (Hz)',
    cursor: true,
  });
  return `<div class="scroll">${drawing}</div>`;
}

/**
 * Players and spectrograms of sounds that are compared.
 *
 * @param bytes room on the page for each.
 * @param width of the drawings.
 */
export async function renderSounds(
  items: readonly { label: string; field: Field }[],
  bytes: number,
  width: number,
): Promise<{ views: { html: string; notes: string[] }[]; shared: string }> {
  const clips = await Promise.all(items.map(({ field }) => makeClip(field, bytes * (1 - pictureShare))));
  const spectrograms = items.map(({ field }, i) => makeSpectrogram(field, clips[i].seconds));
  const window = commonWindow(spectrograms);
  const views: { html: string; notes: string[] }[] = [];
  for (const [i, { label }] of items.entries()) {
    const { uri, seconds, notes } = clips[i];
    const picture = await renderSpectrogram(
      spectrograms[i],
      window,
      seconds,
      label,
      bytes * pictureShare,
      width,
    );
    const player = `<audio controls preload="metadata" src="${uri}" aria-label="${escapeHtml(label)}"></audio>`;
    views.push({ html: `${player}\n${picture}`, notes });
  }
  const bar = `<span class="bar" style="background:${heatGradient}"></span>`;
  const ends = `${formatNumber(Math.round(window.low))} to ${formatNumber(Math.round(window.high))} dB`;
  const all = items.length > 1 ? ', the same for all' : '';
  return { views, shared: `Colours ${bar} from ${ends}${all}; 0 dB is a sine of full scale.` };
}
