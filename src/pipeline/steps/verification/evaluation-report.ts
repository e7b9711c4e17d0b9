// An evaluation as blocks of the report: the table of rates, ROC and DET, how distances are spread, calibration curves.

import type { Block, PlotLine } from '../../../report/section.ts';
import type { Evaluation, VerifierResult } from '../../../verification/evaluate.ts';
import type { Interval } from '../../../verification/resample.ts';

type TableBlock = Extract<Block, { type: 'table' }>;

/** Rates that are no shares and are shown as numbers. */
const plainNumbers = new Set(['auc', 'averagePrecision', 'brier', 'logLoss', 'calibrationError']);

const percent = (share: number): string => (100 * share).toFixed(2).replace('-', '−');

/** `3.42 % (2.10 to 5.01)`. */
const showRate = ({ value, low, high }: Interval, key: string): string =>
  plainNumbers.has(key)
    ? `${value.toFixed(4)} (${low.toFixed(4)} to ${high.toFixed(4)})`
    : `${percent(value)} % (${percent(low)} to ${percent(high)})`;

function rateTable(results: readonly VerifierResult[]): TableBlock {
  const rows = new Map<string, string>();
  for (const { rates } of results) for (const { key, label } of rates) rows.set(key, label);
  const cells = [...rows].map(([key, label]) => [
    label,
    ...results.map(({ rates }) => {
      const rate = rates.find(own => own.key === key);
      return rate ? showRate(rate, key) : '–';
    }),
  ]);
  const folds = results.map(({ folds }) =>
    folds ? `${percent(folds.mean)} ± ${percent(folds.error)} %` : '–',
  );
  const count = results[0].folds?.accuracies.length;
  return {
    type: 'table',
    columns: ['rate', ...results.map(({ name }) => name)],
    rows: [...cells, [`accuracy, ${count ?? 'no'} folds by identity`, ...folds]],
  };
}

/** What the numbers stand for, and what cannot be seen. */
function explanation({ pairs, drawn, identities, results, unseen }: Evaluation): string {
  const same = results[0].roc.same;
  const different = pairs.first.length - same;
  const few =
    unseen.length > 0
      ? ` False accept rates of ${unseen.map(far => `${percent(far)} %`).join(' and ')} cannot be seen with so few different pairs: it takes at least one divided by the rate.`
      : '';
  return `${same} same and ${different} different pairs of ${identities} identities${drawn ? ', the different ones drawn at random' : ''}. In brackets the 95 % confidence interval by resampling identities. FAR (FMR): share of different pairs accepted; VAL: share of same pairs accepted; FNMR: 1 − VAL. Accuracies count same and different pairs alike. By folds: threshold from the other folds, pairs within a fold alone, ± one standard error.${few}`;
}

/** False accept rates of one different pair, from which the scales begin. */
const leastFar = ({ results }: Evaluation): number => 1 / results[0].roc.different;

/** The ROC from `far` on, or with `flip` FNMR instead of VAL. */
function rocLine({ name, roc, band }: VerifierResult, far: number, flip: boolean): PlotLine {
  const from = Math.max(0, roc.falseAccepts.findIndex(own => own > far) - 1);
  const side = (val: number): number => (flip ? 1 - val : val);
  return {
    label: name,
    x: [...roc.falseAccepts].slice(from),
    y: [...roc.trueAccepts].slice(from).map(side),
    band: {
      x: band.far,
      low: (flip ? band.high : band.low).map(side),
      high: (flip ? band.low : band.high).map(side),
    },
  };
}

function rocAndDet(evaluation: Evaluation): Block[] {
  const { results } = evaluation;
  const far = Math.min(0.01, leastFar(evaluation));
  const fnmr = Math.max(1e-5, Math.min(0.01, 0.5 / results[0].roc.same));
  return [
    {
      type: 'plot',
      title: 'ROC',
      x: { label: 'false accept rate', scale: 'log', low: far, high: 1, rates: true },
      y: { label: 'validation rate', scale: 'linear', low: 0, high: 1, rates: true },
      lines: results.map(result => rocLine(result, far, false)),
      note: 'Bands: 95 % by resampling identities.',
    },
    {
      type: 'plot',
      title: 'DET',
      x: { label: 'false match rate', scale: 'probit', low: Math.max(1e-5, far), high: 0.8, rates: true },
      y: { label: 'false non-match rate', scale: 'probit', low: fnmr, high: 0.8, rates: true },
      lines: results.map(result => rocLine(result, Math.max(1e-5, far), true)),
      diagonal: true,
      note: 'Both axes by normal quantiles; the EER lies on the thin line.',
    },
  ];
}

const bins = 40;

function histogram({ name, ranking, verifier }: VerifierResult): Block {
  const { distances, same } = ranking;
  const [low, high] = [distances[0], distances[distances.length - 1]];
  const width = (high - low) / bins || 1;
  const counts = [new Float64Array(bins), new Float64Array(bins)];
  for (let i = 0; i < distances.length; i++)
    counts[same[i] ? 0 : 1][Math.min(bins - 1, Math.floor((distances[i] - low) / width))]++;
  const shares = counts.map(list => {
    const total = list.reduce((sum, n) => sum + n, 0);
    return Array.from(list, n => n / total);
  });
  const isLearned = verifier.comparison.kind === 'learned';
  return {
    type: 'histogram',
    title: `Distances: ${name}`,
    xLabel: isLearned ? 'distance (−Σ w·u − b)' : `${name} distance`,
    yLabel: 'share of pairs',
    edges: Array.from({ length: bins + 1 }, (_, i) => low + i * width),
    groups: [
      { label: 'same', heights: shares[0] },
      { label: 'different', heights: shares[1] },
    ],
    marks: Number.isFinite(verifier.threshold) ? [{ label: 'threshold', x: verifier.threshold }] : [],
  };
}

function calibrationCurves(results: readonly VerifierResult[]): Block[] {
  const calibrated = results.filter(({ bins }) => bins !== undefined);
  if (calibrated.length === 0) return [];
  return [
    {
      type: 'plot',
      title: 'Calibration',
      x: { label: 'probability said', scale: 'linear', low: 0, high: 1, rates: true },
      y: { label: 'share that was the same', scale: 'linear', low: 0, high: 1, rates: true },
      lines: calibrated.map(({ name, bins }) => ({
        label: name,
        x: bins!.map(({ said }) => said),
        y: bins!.map(({ seen }) => seen),
        points: true,
      })),
      diagonal: true,
      note: 'On the thin line a probability means what it says. Pairs are weighed to the prior that the probabilities hold for.',
    },
  ];
}

/** `EER 7.3 % with learned … and 11.3 % with squared-euclidean: −4.0 (−6.1 to −2.2)`. */
export function describeDifference({ results }: Evaluation): string {
  const [first, second] = results;
  const { value, low, high } = second.difference!;
  return `EER ${percent(second.rates[0].value)} % with ${second.name}, ${percent(first.rates[0].value)} % with ${first.name}: ${percent(value)} points (95 %: ${percent(low)} to ${percent(high)})`;
}

/** The difference of two verifiers in a sentence that says whether it is more than chance. */
export function differenceText(
  evaluation: Evaluation,
  { low, high, lower }: Interval & { lower: number },
): string {
  const verdict =
    high < 0
      ? 'The learned one is better by more than chance explains.'
      : low > 0
        ? 'The learned one is worse by more than chance explains: use the plain distance.'
        : 'That may be chance: more identities are needed to tell them apart.';
  return `${describeDifference(evaluation)}. ${verdict} It had the lower rate in ${(100 * lower).toFixed(1)} % of the resamples.`;
}

function differences(results: readonly VerifierResult[]): Block[] {
  const rows = results.flatMap(({ name, difference }) =>
    difference
      ? [
          [
            name,
            `${percent(difference.value)} (${percent(difference.low)} to ${percent(difference.high)})`,
            `${(100 * difference.lower).toFixed(1)} %`,
          ],
        ]
      : [],
  );
  if (rows.length === 0) return [];
  return [
    {
      type: 'table',
      columns: ['verifier', `EER minus that of ${results[0].name}, in points`, 'lower in'],
      rows,
    },
  ];
}

/** Everything but pictures. */
export const rateBlocks = (evaluation: Evaluation): Block[] => [
  { type: 'text', text: explanation(evaluation) },
  rateTable(evaluation.results),
  ...differences(evaluation.results),
  ...rocAndDet(evaluation),
  ...evaluation.results.map(histogram),
  ...calibrationCurves(evaluation.results),
];
