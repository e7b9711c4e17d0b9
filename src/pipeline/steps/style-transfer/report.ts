// What a style transfer says when it has ended: a line, and a section of the report.

import type { Field } from '../../../formats/field.ts';
import type { Ending } from '../../../optim/settings.ts';
import type { StyleFigures } from '../../../style/problem.ts';
import type { RunContext } from '../../step.ts';
import type { Parameters } from './parameters.ts';

/** Why fewer steps were done than asked for. */
const endings: Partial<Record<Ending, string>> = {
  converged: ', where the loss had fallen as far as single precision can tell',
  stalled: ', where no lower point was found: try another optimiser or start',
};

/** Style loss before and after, what is kept of the content, steps and seconds. */
export function describeTransfer(
  first: StyleFigures,
  last: StyleFigures,
  params: Parameters,
  { seconds, reason }: { seconds: number; reason: Ending },
): string {
  const ending = endings[reason] ?? '';
  if (last.iteration === 0) return `no step lowered the loss: the result is the start${ending}`;
  const relative = params.losses === 'relative';
  const losses = relative
    ? `${first.style.toPrecision(3)} → ${last.style.toPrecision(3)} of the content's own`
    : `${first.style.toPrecision(4)} → ${last.style.toPrecision(4)}`;
  const kept =
    relative && params.contentWeight > 0
      ? `, content ${(100 * Math.max(0, 1 - last.content)).toFixed(0)} % kept`
      : '';
  return `style loss ${losses} (÷ ${(first.style / last.style).toFixed(1)})${kept} in ${last.iteration} steps${ending}, ${seconds.toFixed(1)} s`;
}

/** Content, styles and result side by side, and the losses. */
export function reportTransfer(
  { params, report }: RunContext<Parameters>,
  fields: { content: Field; styles: Field[]; result: Field },
  history: readonly StyleFigures[],
  summary: string,
  settles: boolean,
): void {
  const x = history.map(h => h.iteration);
  const curve = (label: string, of: (figures: StyleFigures) => number) => ({ label, x, y: history.map(of) });
  const curves = [curve('total', h => h.total), curve('style', h => h.style)];
  if (params.contentWeight > 0) curves.push(curve('content', h => h.content));
  if (params.totalVariation > 0) curves.push(curve('total variation', h => h.tv));
  const jumps = settles
    ? ' The losses jump where the spectrogram, left free, is made one that a sound has; the last figures are those of the sound itself.'
    : '';
  report({
    title: 'Style transfer',
    blocks: [
      { type: 'text', text: `${summary[0].toUpperCase()}${summary.slice(1)}.${jumps}` },
      {
        type: 'fields',
        items: [
          { label: 'content', field: fields.content },
          ...fields.styles.map((field, i) => ({
            label: fields.styles.length > 1 ? `style ${i + 1}` : 'style',
            field,
          })),
          { label: 'result', field: fields.result },
        ],
      },
      {
        type: 'curves',
        title: params.losses === 'relative' ? 'Losses, in relation to the content' : 'Losses',
        xLabel: 'step',
        yLabel: 'loss',
        log: true,
        curves,
      },
    ],
  });
}
