// An evaluation as JSON, for programs: all rates with their intervals, folds, the ROC, calibration curves, hardest pairs.

import type { Embeddings } from '../../../embeddings/embeddings.ts';
import type { Evaluation, VerifierResult } from '../../../verification/evaluate.ts';

/** Points of a ROC that are kept: enough to draw it, few enough to read. */
const rocPoints = 500;

/** Points of the ROC, thinned evenly where there are many, without the first, whose threshold is −∞. */
function rocOf({ roc }: VerifierResult) {
  const n = roc.thresholds.length - 1;
  const count = Math.min(n, rocPoints);
  const places = Array.from(
    { length: count },
    (_, i) => 1 + Math.floor((i * (n - 1)) / Math.max(1, count - 1)),
  );
  const of = (list: Float64Array): number[] => places.map(i => list[i]);
  return { threshold: of(roc.thresholds), far: of(roc.falseAccepts), val: of(roc.trueAccepts) };
}

/** JSON knows no NaN: such thresholds are left out. */
const finite = (value: number): number | undefined => (Number.isFinite(value) ? value : undefined);

export function evaluationJson(
  { embedder, items }: Embeddings,
  { pairs, drawn, identities, results, unseen }: Evaluation,
  hardest: { same: number[]; different: number[] },
): string {
  const namesOf = (list: readonly number[]) =>
    list.map(pair => [items[pairs.first[pair]].name, items[pairs.second[pair]].name]);
  const value = {
    embedder,
    items: items.length,
    identities,
    samePairs: results[0].roc.same,
    differentPairs: results[0].roc.different,
    drawn,
    unmeasurableFars: unseen,
    verifiers: results.map(result => ({
      name: result.name,
      threshold: finite(result.verifier.threshold),
      rule: result.verifier.rule,
      rates: Object.fromEntries(result.rates.map(({ key, value, low, high }) => [key, { value, low, high }])),
      folds: result.folds,
      differenceOfEer: result.difference,
      calibration: result.bins,
      roc: rocOf(result),
    })),
    hardest: { same: namesOf(hardest.same), different: namesOf(hardest.different) },
  };
  return `${JSON.stringify(value, undefined, 1)}\n`;
}
