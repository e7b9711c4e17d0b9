// Bare arrays (npy, npz, safetensors) as fields: files that say how numbers lie but not what they are. What the file
// cannot say comes from the read options; without them every dimension is spatial and there is one channel.

import type { Axis, FieldKind } from './field.ts';
import type { FieldHeader, ReadOptions } from './format.ts';
import { formatError } from './format.ts';
import { bytesOf, rangeOf, type StoredType, sampleTypeOf } from './samples.ts';

/** Read options that bare arrays understand. */
export const arrayOptions = ['channels', 'kind', 'spacing'] as const;

const ranks: Partial<Record<FieldKind, [number, number]>> = {
  sound: [1, 1],
  signal: [1, 1],
  image: [2, 2],
  volume: [3, 4],
};
const axisNames: Partial<Record<FieldKind, string[]>> = {
  sound: ['time'],
  signal: ['time'],
  image: ['y', 'x'],
  volume: ['t', 'z', 'y', 'x'],
};
const units: Partial<Record<FieldKind, string>> = { sound: 's', signal: 's', image: 'px', volume: 'mm' };

/**
 * Header of the field that an array of this shape becomes, and the scale that brings its numbers into the range of
 * its kind: integer images become [0, 1], integer sounds [-1, 1]; everything else stays as it is.
 */
export function describeArray(
  path: string,
  shape: readonly number[],
  stored: StoredType,
  { channels = 'none', kind = 'array', spacing }: ReadOptions,
): { header: FieldHeader; scale: number } {
  const whole = channels === 'last' && shape.length > 1 ? [...shape] : [...shape, 1];
  const spatial = whole.slice(0, -1);
  const [least, most] = ranks[kind] ?? [0, 64];
  if (spatial.length < least || spatial.length > most)
    throw formatError(
      path,
      `kind ${kind} has ${least === most ? least : `${least} to ${most}`} spatial dimensions, and an array of shape ${shape.join('×')} with channels: ${channels} has ${spatial.length}`,
      channels === 'none'
        ? 'set channels: last if its last dimension holds channels'
        : 'leave out channels or choose another kind',
    );
  if (spacing && (spacing.length !== spatial.length || !spacing.every(step => step > 0)))
    throw formatError(
      path,
      `spacing is [${spacing.join(', ')}] and the array has ${spatial.length} spatial dimensions`,
      'give one positive number for each',
    );
  if (!spacing && (kind === 'sound' || kind === 'signal'))
    throw formatError(
      path,
      `an array read as ${kind} needs to know its sample rate`,
      'set spacing: [1 / rate], in seconds',
    );
  const names = axisNames[kind]?.slice(-spatial.length) ?? spatial.map((_, at) => `axis${at}`);
  const axes: Axis[] = spatial.map((_, at) => ({
    name: names[at],
    spacing: spacing?.[at] ?? 1,
    unit: names[at] === 't' ? 's' : (units[kind] ?? ''),
  }));
  const range = rangeOf(stored);
  let scale = 1;
  if (range && kind === 'image') scale = 1 / range[1];
  if (range && kind === 'sound') scale = 2 ** (1 - 8 * bytesOf[stored]);
  const header: FieldHeader = {
    kind,
    shape: whole,
    axes,
    source: path,
    valueUnit: '',
    sampleType: sampleTypeOf(stored),
  };
  return { header, scale };
}
