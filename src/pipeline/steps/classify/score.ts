// What a classifier's answers are worth: probabilities of what the network gives, and how often which label was taken for
// which. Knows nothing of files.

/** Probabilities of scores (logits): exp(x) over the sum of all. */
export function softmax(scores: ArrayLike<number>): number[] {
  const values = Array.from(scores);
  const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = values.map(value => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map(power => power / sum);
}

/** Index of the largest value, the first of equals. */
export function largestIndex(values: ArrayLike<number>, from = 0, to = values.length): number {
  let best = from;
  for (let i = from + 1; i < to; i++) if (values[i] > values[best]) best = i;
  return best - from;
}

/** How often each class was taken for each: `counts[label][predicted]`. */
export interface Confusion {
  classes: readonly string[];
  counts: number[][];
}

/** Errors: none; labels that are no class are not to be given. */
export function confusionOf(
  classes: readonly string[],
  answers: Iterable<{ label: string; predicted: string }>,
): Confusion {
  const at = new Map(classes.map((name, i) => [name, i]));
  const counts = classes.map(() => new Array<number>(classes.length).fill(0));
  for (const { label, predicted } of answers) counts[at.get(label)!][at.get(predicted)!]++;
  return { classes, counts };
}

/** Share of right answers; NaN where there are none. */
export function accuracyOf({ counts }: Confusion): number {
  const all = counts.flat().reduce((a, b) => a + b, 0);
  return counts.reduce((sum, row, i) => sum + row[i], 0) / all;
}

/** Of one class: how many there are, which share of them was found, and which share of the answers with it is right. */
export interface ClassScore {
  name: string;
  count: number;
  /** Sensitivity; NaN where there are none of the class. */
  recall: number;
  /** Positive predictive value; NaN where nothing was taken for it. */
  precision: number;
}

export const classScores = ({ classes, counts }: Confusion): ClassScore[] =>
  classes.map((name, i) => {
    const count = counts[i].reduce((a, b) => a + b, 0);
    const answered = counts.reduce((sum, row) => sum + row[i], 0);
    return { name, count, recall: counts[i][i] / count, precision: counts[i][i] / answered };
  });
