// What a training says when it has ended: lines, and learning curves.

import type { Block } from '../../../report/section.ts';
import type { TrainingSettings } from '../../../training/settings.ts';
import type { Trained } from '../../../training/train.ts';
import type { RunContext } from '../../step.ts';
import type { Parameters } from './parameters.ts';

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Steps, the network kept, and the last figures. */
export function describeTraining({ history, best }: Trained, steps: number, seconds: number): string {
  const last = history[history.length - 1];
  if (!last) return 'no step was done: the network is as it was';
  const kept = best
    ? `kept is the network of step ${best.step}, with an equal error rate of ${percent(best.eer)} on the validation identities`
    : 'kept is the last network, as there was no validation';
  const stopped = last.step < steps ? ` of ${steps}, then stopped,` : '';
  return `${last.step} steps${stopped} in ${seconds.toFixed(0)} s: loss ${history[0].loss.toPrecision(3)} → ${last.loss.toPrecision(3)}; ${kept}`;
}

/** Figures in means of so many steps, so that curves stay readable. */
const POINTS = 300;

function smooth(x: readonly number[], y: readonly number[]): { x: number[]; y: number[] } {
  const width = Math.max(1, Math.ceil(x.length / POINTS));
  const [xs, ys]: [number[], number[]] = [[], []];
  for (let i = 0; i < x.length; i += width) {
    const part = y.slice(i, i + width);
    xs.push(x[Math.min(i + width, x.length) - 1]);
    ys.push(part.reduce((a, b) => a + b, 0) / part.length);
  }
  return { x: xs, y: ys };
}

/** Learning curves: loss, share of active triplets, spread of embeddings, rate, validation; `which` of several networks. */
export function reportTraining(
  { report }: RunContext<Parameters>,
  trained: Trained,
  { loss, margin }: TrainingSettings,
  summary: string,
  which?: string,
): void {
  const { history } = trained;
  const x = history.map(({ step }) => step);
  const curves = (
    title: string,
    yLabel: string,
    lines: { label: string; y: number[]; x?: number[] }[],
    log = false,
  ): Block => ({
    type: 'curves',
    title,
    xLabel: 'step',
    yLabel,
    log,
    curves: lines.map(({ label, y, x: own }) => ({ label, ...(own ? { x: own, y } : smooth(x, y)) })),
  });
  const measured = history.filter(({ eer }) => eer !== undefined);
  const blocks: Block[] = [{ type: 'text', text: `${summary[0].toUpperCase()}${summary.slice(1)}.` }];
  if (history.length > 1) {
    const per = {
      triplet: 'per triplet',
      contrastive: 'of equal and of different pairs',
      pairs: 'cross-entropy',
    };
    const level = loss === 'pairs' ? [] : [{ label: 'margin', y: history.map(() => margin) }];
    blocks.push(
      curves(`Loss, ${per[loss]}`, 'loss', [{ label: 'loss', y: history.map(h => h.loss) }, ...level]),
      curves(
        loss === 'triplet' ? 'Share of triplets that are active' : 'Share of pairs that are active',
        'share',
        [{ label: loss === 'pairs' ? 'wrong' : 'active', y: history.map(h => h.active) }],
      ),
      curves('Spread: mean squared distance of two embeddings', 'squared distance', [
        { label: 'spread', y: history.map(h => h.spread) },
      ]),
      curves('Learning rate', 'rate', [{ label: 'rate', y: history.map(h => h.rate) }]),
    );
  }
  if (measured.length > 1)
    blocks.push(
      curves('Equal error rate on the validation identities', 'rate', [
        { label: 'equal error rate', x: measured.map(h => h.step), y: measured.map(h => h.eer!) },
      ]),
    );
  report({ title: which ? `Training, ${which}` : 'Training', blocks });
}
