// How well identifying goes where it is known who everybody is. Of those who are enrolled (mated searches): the share whose
// own label comes first, second … (CMC), and at a threshold the share who are not named rightly (FNIR). Of strangers
// (non-mated searches): the share who are taken for somebody (FPIR). Source: ISO/IEC 19795-1.

import type { Identification } from './identify.ts';

/** Mated and non-mated searches; items that are in the gallery themselves count in neither. */
export interface IdentificationRates {
  mated: number;
  strangers: number;
  /** Items that are left out because the gallery holds them. */
  enrolled: number;
  /** Share of mated searches whose label is among the first 1, 2, … candidates. */
  cmc: number[];
  /** At every distance where one of them changes: FPIR and FNIR; empty without strangers. */
  curve: { threshold: number; fpir: number; fnir: number }[];
}

/** Rates of identifications whose items carry their true label; `labels` are those of the gallery. */
export function identificationRates(
  found: readonly Identification[],
  labels: ReadonlySet<string>,
): IdentificationRates {
  const counted = found.filter(({ enrolled }) => !enrolled);
  const mated = counted.filter(({ item }) => labels.has(item.label));
  const strangers = counted.filter(({ item }) => !labels.has(item.label));
  const listed = Math.max(0, ...mated.map(({ candidates }) => candidates.length));
  const ranks = mated.map(({ item, candidates }) =>
    candidates.findIndex(({ label }) => label === item.label),
  );
  const cmc = Array.from(
    { length: listed },
    (_, rank) => ranks.filter(own => own >= 0 && own <= rank).length / mated.length,
  );
  // Distances at which a mated search is right, and at which a stranger is taken for somebody.
  const right = mated.flatMap(({ candidates: [first] }, i) => (ranks[i] === 0 ? [first.distance] : []));
  const wrong = strangers.flatMap(({ candidates: [first] }) => (first ? [first.distance] : []));
  const thresholds = [...new Set([...right, ...wrong])].sort((a, b) => a - b);
  const curve =
    strangers.length === 0 || mated.length === 0
      ? []
      : thresholds.map(threshold => ratesAt(right, wrong, threshold, mated.length, strangers.length));
  return {
    mated: mated.length,
    strangers: strangers.length,
    enrolled: found.length - counted.length,
    cmc,
    curve,
  };
}

function ratesAt(
  right: readonly number[],
  wrong: readonly number[],
  threshold: number,
  mated: number,
  strangers: number,
): { threshold: number; fpir: number; fnir: number } {
  const within = (distances: readonly number[]): number => distances.filter(own => own <= threshold).length;
  return { threshold, fpir: within(wrong) / strangers, fnir: 1 - within(right) / mated };
}

/** FPIR and FNIR at a threshold that was set beforehand; NaN where there are no such searches. */
export function ratesAtThreshold(
  found: readonly Identification[],
  labels: ReadonlySet<string>,
  threshold: number,
): { fpir: number; fnir: number } {
  const counted = found.filter(({ enrolled }) => !enrolled);
  const mated = counted.filter(({ item }) => labels.has(item.label));
  const strangers = counted.filter(({ item }) => !labels.has(item.label));
  const near = ({ candidates: [first] }: Identification): boolean =>
    first !== undefined && first.distance <= threshold;
  const right = mated.filter(one => near(one) && one.candidates[0].label === one.item.label);
  return { fpir: strangers.filter(near).length / strangers.length, fnir: 1 - right.length / mated.length };
}

/** The smallest FNIR whose FPIR is at most `fpir`; undefined where so few strangers cannot show that. */
export function missesAt({ curve, strangers }: IdentificationRates, fpir: number): number | undefined {
  if (strangers * fpir < 1) return undefined;
  const allowed = curve.filter(point => point.fpir <= fpir);
  return allowed.length === 0 ? 1 : allowed[allowed.length - 1].fnir;
}
