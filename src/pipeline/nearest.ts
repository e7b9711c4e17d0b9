// Finds the name that a mistyped word was most likely meant to be. Used by every "did you mean" of the pipeline
// language and the command line; it knows nothing of where the names come from.

/**
 * Edit distance in which inserting, deleting, replacing and swapping neighbouring letters each cost 1, and a
 * difference in case alone costs a tenth (Damerau 1964, the restricted form).
 */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const [x, y] = [a[i - 1], b[j - 1]];
      const cost = x === y ? 0 : x.toLowerCase() === y.toLowerCase() ? 0.1 : 1;
      let best = Math.min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost);
      if (i > 1 && j > 1 && x === b[j - 2] && a[i - 2] === y) best = Math.min(best, before[j - 2] + 1);
      current.push(best);
    }
    before = previous;
    previous = current;
  }
  return previous[b.length];
}

/** The candidate nearest to `word`, or undefined where none is near enough to be a plausible slip. */
export function nearestName(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > 100) return undefined;
  const plain = (text: string) => text.toLowerCase().replace(/[-_ ]/g, '');
  let best: string | undefined;
  let bestScore = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    if (candidate === word || candidate.length > 100) continue;
    const [a, b] = [plain(word), plain(candidate)];
    const longest = Math.max(word.length, candidate.length);
    let score = editDistance(word, candidate) / longest;
    if (a === b) score = 0;
    // A shortened or lengthened name: "iter" for "iterations", "sizes" for "size".
    else if (a.length >= 3 && b.length >= 3 && (b.startsWith(a) || a.startsWith(b)))
      score = Math.min(score, 0.35);
    if (score < bestScore) [best, bestScore] = [candidate, score];
  }
  return bestScore <= 0.4 ? best : undefined;
}

/** `a, b and c`, at most `limit` of them. */
export function listNames(names: Iterable<string>, limit = 12): string {
  const all = [...names];
  if (all.length > limit) return `${all.slice(0, limit).join(', ')} and ${all.length - limit} more`;
  return all.length < 2 ? all.join('') : `${all.slice(0, -1).join(', ')} and ${all[all.length - 1]}`;
}
