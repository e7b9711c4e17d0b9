// Sounds side by side, each as a player.

import type { Field } from '../formats/field.ts';
import { makeClip } from './sound-clip.ts';
import { escapeHtml } from './text.ts';

/** The players of sounds that are compared; `bytes` is the room of each. */
export async function renderSounds(
  items: readonly { label: string; field: Field }[],
  bytes: number,
  _width: number,
): Promise<{ views: { html: string; notes: string[] }[]; shared: string }> {
  const views = [];
  for (const { label, field } of items) {
    const clip = await makeClip(field, bytes);
    const html = `<audio controls preload="metadata" src="${clip.uri}" aria-label="${escapeHtml(label)}"></audio>`;
    views.push({ html, notes: clip.notes });
  }
  return { views, shared: '' };
}
