// What `identify` shows and writes: how well it went where that is known, who was found, and pictures of both sides.

import { itemReader } from '../../../embeddings/item-reader.ts';
import { quoted } from '../../../formats/delimited.ts';
import type { Field } from '../../../formats/field.ts';
import type { Block, Section } from '../../../report/section.ts';
import type { Gallery } from '../../../verification/gallery/gallery.ts';
import type { Identification } from '../../../verification/gallery/identify.ts';
import {
  type IdentificationRates,
  identificationRates,
  missesAt,
  ratesAtThreshold,
} from '../../../verification/gallery/rates.ts';
import type { Searcher } from '../../../verification/gallery/search.ts';
import { probabilityOfSame, type Verifier } from '../../../verification/verifier.ts';

/** Rows of the table and items with pictures in a report; ranks of the CMC in words. */
const [mostRows, mostShown] = [100, 12];
const ranks = [1, 2, 3, 5, 10, 20];

export interface Circumstances {
  searcher: Searcher;
  /** How embeddings are compared, in words. */
  how: string;
  by: string;
  threshold?: number;
  verifier?: Verifier;
}

const percent = (share: number): string => (Number.isNaN(share) ? '–' : `${(100 * share).toFixed(2)} %`);
const short = (distance: number): string => distance.toPrecision(4);

/** Whether an item was named as it should be; undefined where that is not known. */
function isRight(
  { item, label, enrolled }: Identification,
  labels: ReadonlySet<string>,
): boolean | undefined {
  if (enrolled) return undefined;
  return labels.has(item.label) ? label === item.label : label === undefined;
}

/** A section on who was found. Truths are taken from the items' labels where at least one is a label of the gallery. */
export async function reportIdentification(
  found: readonly Identification[],
  gallery: Gallery,
  circumstances: Circumstances,
): Promise<Section> {
  const { searcher, how, by, threshold, verifier } = circumstances;
  const labels = new Set(gallery.embeddings.items.map(({ label }) => label));
  const rates = identificationRates(found, labels);
  const known = rates.mated > 0;
  const beyond = threshold === undefined ? 'nobody is unknown' : `unknown beyond ${short(threshold)}`;
  const blocks: Block[] = [
    {
      type: 'text',
      text: `${found.length} items among ${labels.size} labels (${gallery.embeddings.items.length} items), ${searcher.way} search by ${how} to the ${by === 'mean' ? 'mean' : 'nearest item'} of a label; ${beyond}.`,
    },
    ...(known ? describeRates(rates, found, labels, threshold) : []),
    {
      type: 'table',
      columns: [
        found.length > mostRows ? `the first ${mostRows} of ${found.length}` : 'item',
        ...(known ? ['is'] : []),
        'identified as',
        'distance',
        ...(verifier?.probability ? ['probability'] : []),
        'next',
        ...(known ? ['right'] : []),
      ],
      rows: found.slice(0, mostRows).map(one => {
        const [first, second] = one.candidates;
        const right = isRight(one, labels);
        return [
          one.item.name,
          ...(known ? [labels.has(one.item.label) ? one.item.label : 'a stranger'] : []),
          one.label ?? 'unknown',
          first ? short(first.distance) : '–',
          ...(verifier?.probability
            ? [first ? probabilityOfSame(verifier, first.distance)!.toFixed(3) : '–']
            : []),
          second ? `${second.label} ${short(second.distance)}` : '–',
          ...(known ? [right === undefined ? 'enrolled' : right ? 'yes' : 'no'] : []),
        ];
      }),
    },
    ...(await pictures(found, gallery, labels, known)),
  ];
  return { title: 'Identification', blocks };
}

function describeRates(
  rates: IdentificationRates,
  found: readonly Identification[],
  labels: ReadonlySet<string>,
  threshold: number | undefined,
): Block[] {
  const { mated, strangers, enrolled, cmc, curve } = rates;
  const rows: (string | number)[][] = [
    ['items of those enrolled', mated],
    ['items of strangers', strangers],
    ...(enrolled > 0 ? [['items that the gallery holds themselves, not counted', enrolled]] : []),
    ...ranks
      .filter(rank => rank <= cmc.length)
      .map(rank => [`among the first ${rank}`, percent(cmc[rank - 1])]),
  ];
  if (threshold !== undefined) {
    const { fpir, fnir } = ratesAtThreshold(found, labels, threshold);
    rows.push(
      ['strangers taken for somebody (FPIR)', percent(fpir)],
      ['enrolled ones not named rightly (FNIR)', percent(fnir)],
    );
  }
  for (const wished of [0.01, 0.1]) {
    const misses = missesAt(rates, wished);
    if (misses !== undefined) rows.push([`FNIR where FPIR is at most ${100 * wished} %`, percent(misses)]);
  }
  const curves: Block[] = [
    {
      type: 'curves',
      title: 'Cumulative match characteristic',
      xLabel: 'rank',
      yLabel: 'share named within it',
      curves: [{ label: 'CMC', x: cmc.map((_, rank) => rank + 1), y: cmc }],
    },
    {
      type: 'curves',
      title: 'Open set: strangers taken for somebody, and enrolled ones missed, by threshold',
      xLabel: 'threshold',
      yLabel: 'share',
      curves: [
        { label: 'FPIR', x: curve.map(point => point.threshold), y: curve.map(({ fpir }) => fpir) },
        { label: 'FNIR', x: curve.map(point => point.threshold), y: curve.map(({ fnir }) => fnir) },
      ],
    },
  ];
  return [
    { type: 'table', columns: ['', ''], rows },
    ...(cmc.length > 1 ? [curves[0]] : []),
    ...(curve.length > 1 ? [curves[1]] : []),
  ];
}

/** Items beside the one that they were found by, wrong ones first. */
async function pictures(
  found: readonly Identification[],
  gallery: Gallery,
  labels: ReadonlySet<string>,
  known: boolean,
): Promise<Block[]> {
  const wrong = known ? found.filter(one => isRight(one, labels) === false) : [];
  const others = found.filter(one => !wrong.includes(one));
  const chosen = [...wrong.slice(0, Math.max(mostShown / 2, mostShown - others.length)), ...others].slice(
    0,
    mostShown,
  );
  const read = itemReader();
  const items: { label: string; field: Field }[] = [];
  for (const [i, { item, label, candidates }] of chosen.entries()) {
    const [first] = candidates;
    const [own, match] = [await read(item), first && (await read(gallery.embeddings.items[first.item]))];
    if (own) items.push({ label: `${i + 1}. ${item.name}: ${label ?? 'unknown'}`, field: own });
    if (match) {
      const how = label === undefined ? 'nearest, too far' : 'found by';
      items.push({ label: `${i + 1}. ${how}: ${first.label}, ${short(first.distance)}`, field: match });
    }
  }
  return items.length > 0 ? [{ type: 'fields', items }] : [];
}

/** Everybody who was found: one line an item with its candidates. */
export function identificationTable(
  found: readonly Identification[],
  { embeddings }: Gallery,
  format: 'csv' | 'json',
  verifier?: Verifier,
): string {
  const probability = (distance: number): number | undefined =>
    verifier && probabilityOfSame(verifier, distance);
  if (format === 'json')
    return `${JSON.stringify(
      found.map(({ item, label, candidates }) => ({
        file: item.path,
        name: item.name,
        ...(item.box ? { box: item.box } : {}),
        identity: label ?? null,
        candidates: candidates.map(({ label: own, distance, item: place }) => ({
          identity: own,
          distance,
          ...(probability(distance) === undefined ? {} : { probability: probability(distance) }),
          match: embeddings.items[place].name,
        })),
      })),
      null,
      2,
    )}\n`;
  const most = Math.max(0, ...found.map(({ candidates }) => candidates.length));
  const numbered = Array.from({ length: most }, (_, i) => [`candidate ${i + 1}`, `distance ${i + 1}`]).flat();
  const rows = found.map(({ item, label, candidates }) => [
    item.path,
    item.name,
    (item.box ?? []).map(value => Number(value.toFixed(3))).join(' '),
    label ?? 'unknown',
    ...candidates.flatMap(({ label: own, distance }) => [own, String(distance)]),
  ]);
  return [['file', 'name', 'box', 'identity', ...numbered], ...rows]
    .map(row => `${row.map(cell => quoted(cell, ',')).join(',')}\n`)
    .join('');
}
