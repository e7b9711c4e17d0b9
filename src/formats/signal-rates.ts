// Recordings whose signals were sampled at different rates (WFDB, EDF): a field has one grid, so that the signals of one
// rate are read and the others named. Also the names and units of what is kept.

import { formatError } from './format.ts';

/** What a header says of one signal. */
export interface RecordedSignal {
  name: string;
  unit: string;
  /** Samples in every frame or record of the file; what differs between rates. */
  perFrame: number;
}

/**
 * Indices of the signals to read: those at the rate of the signal called `entry`, or at the rate that most of them have
 * (the higher one where two are as common). Errors: FormatError where there is no such signal.
 */
export function signalsOfOneRate(
  path: string,
  signals: readonly RecordedSignal[],
  entry?: string,
  note?: (message: string) => void,
): number[] {
  const counts = new Map<number, number>();
  for (const { perFrame } of signals) counts.set(perFrame, (counts.get(perFrame) ?? 0) + 1);
  let [rate] = [...counts].sort(([a, m], [b, n]) => n - m || b - a)[0];
  if (entry !== undefined) {
    const named = signals.find(({ name }) => name === entry);
    if (!named)
      throw formatError(
        path,
        `holds no signal "${entry}"`,
        `set entry to one of ${signals.map(({ name }) => name).join(', ')}`,
        { entries: signals.map(({ name }) => name) },
      );
    rate = named.perFrame;
  }
  const kept = signals.flatMap(({ perFrame }, at) => (perFrame === rate ? [at] : []));
  const others = signals.filter(({ perFrame }) => perFrame !== rate).map(({ name }) => name);
  if (others.length > 0 && entry === undefined)
    note?.(
      `${path}: ${others.join(', ')} have another sample rate and are left out; set entry to one of them to read those instead`,
    );
  return kept;
}

/** Channel names and the unit of the values; units that differ become part of the names. */
export function namesAndUnit(signals: readonly RecordedSignal[]): {
  channelNames: string[];
  valueUnit: string;
} {
  const alike = signals.every(({ unit }) => unit === signals[0].unit);
  return {
    channelNames: signals.map(({ name, unit }) => (alike || unit === '' ? name : `${name} (${unit})`)),
    valueUnit: alike ? signals[0].unit : '',
  };
}
