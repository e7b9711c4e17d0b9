// How good a learned verifier is on identities that it has not seen, with everybody held out once: identities are dealt out
// to folds, a verifier is learned without each fold, with all its choices made again, and measured on the pairs within
// it. All distances together say more than one part held out does.

import { type Embeddings, selectEmbeddings } from '../embeddings/embeddings.ts';
import { identityFolds, splitPairs } from './identity-folds.ts';
import { type LearnChoice, learnVerifier } from './learn.ts';
import { choosePairs, type Pairs, selectPairs } from './pairs.ts';
import { verifierDistances } from './verifier.ts';

export interface CrossFit {
  /** Pairs within folds. */
  pairs: Pairs;
  /** On the scale of the learned verifiers, whose probabilities are alike. */
  distances: Float64Array;
  folds: number;
}

/** Distances of pairs by verifiers that did not learn from their identities. Errors: as `learnVerifier`. */
export async function crossFit(
  embeddings: Embeddings,
  choice: LearnChoice,
  rounds: number,
  onProgress: (fraction: number) => Promise<void>,
): Promise<CrossFit> {
  const { pairs } = choosePairs(embeddings.items, { kind: 'all', seed: choice.seed });
  const folds = identityFolds(embeddings.items, rounds, choice.seed);
  const places: number[] = [];
  const learned: number[] = [];
  for (let fold = 0; fold < folds.count; fold++) {
    const others = [...embeddings.items.keys()].filter(i => folds.foldOf[i] !== fold);
    const { verifier } = await learnVerifier(selectEmbeddings(embeddings, others), choice, (done, of) =>
      onProgress((fold + done / of) / folds.count),
    );
    const { within } = splitPairs(pairs, folds, fold);
    places.push(...within);
    learned.push(...verifierDistances(verifier, embeddings, selectPairs(pairs, within)));
  }
  return { pairs: selectPairs(pairs, places), distances: Float64Array.from(learned), folds: folds.count };
}
