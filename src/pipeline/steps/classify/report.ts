// What `classify` shows and writes: accuracy, the confusion table, the least sure and the wrong answers, and a table of all.

import type { Item } from '../../../datasets/list.ts';
import { quoted } from '../../../formats/delimited.ts';
import type { Field } from '../../../formats/field.ts';
import type { Block, Section } from '../../../report/section.ts';
import { accuracyOf, type Confusion, classScores } from './score.ts';

/** One answer. */
export interface Answer {
  item: Item;
  predicted: string;
  /** In the order of the classes. */
  probabilities: readonly number[];
}

export const percent = (share: number): string =>
  Number.isNaN(share) ? '–' : `${(100 * share).toFixed(share === 1 ? 0 : 2)} %`;

/** The classes that are most probable: `tabby 0.61, tiger cat 0.30`. */
export function describeAnswer({ probabilities }: Answer, classes: readonly string[], most = 3): string {
  const order = classes.map((_, i) => i).sort((a, b) => probabilities[b] - probabilities[a]);
  return order
    .slice(0, most)
    .map(i => `${classes[i]} ${probabilities[i].toFixed(3)}`)
    .join(', ');
}

/** Rows and examples that a report holds. */
const [mostRows, mostShown] = [50, 6];

export function describeAnswers(
  answers: readonly Answer[],
  classes: readonly string[],
  confusion: Confusion | undefined,
  examples: { label: string; field: Field }[],
): Section {
  const blocks: Block[] = [];
  if (confusion) {
    // Classes that neither occur nor were answered would make most of a large table.
    const kept = classes
      .map((_, i) => i)
      .filter(i => confusion.counts[i].some(n => n > 0) || confusion.counts.some(row => row[i] > 0));
    const scores = classScores(confusion);
    const total = answers.length;
    blocks.push(
      {
        type: 'text',
        text: `${percent(accuracyOf(confusion))} of ${total} are right. Rows: what they are; columns: what they were taken for.`,
      },
      {
        type: 'table',
        columns: ['', ...kept.map(i => classes[i]), 'found', 'right'],
        rows: kept.map(i => [
          classes[i],
          ...kept.map(j => confusion.counts[i][j]),
          percent(scores[i].recall),
          percent(scores[i].precision),
        ]),
      },
      {
        type: 'text',
        text: 'found: share of those of the class that were recognised; right: share of the answers with the class that are right.',
      },
    );
    const wrong = answers.filter(({ item, predicted }) => item.label !== predicted);
    if (wrong.length > 0)
      blocks.push({
        type: 'table',
        columns: [
          wrong.length > mostRows ? `wrong (the first ${mostRows} of ${wrong.length})` : 'wrong',
          'is',
          'taken for',
          'most probable',
        ],
        rows: wrong
          .slice(0, mostRows)
          .map(answer => [
            answer.item.name,
            answer.item.label,
            answer.predicted,
            describeAnswer(answer, classes),
          ]),
      });
  } else
    blocks.push({
      type: 'table',
      columns: [
        answers.length > mostRows ? `the first ${mostRows} of ${answers.length}` : 'input',
        'answer',
        'most probable',
      ],
      rows: answers
        .slice(0, mostRows)
        .map(answer => [answer.item.name, answer.predicted, describeAnswer(answer, classes)]),
    });
  if (examples.length > 0) blocks.push({ type: 'fields', items: examples.slice(0, mostShown) });
  return { title: 'Classes', blocks };
}

/** All answers as CSV. */
export function answersTable(
  answers: readonly Answer[],
  classes: readonly string[],
  labelled: boolean,
): string {
  const cell = (text: string): string => quoted(text, ',');
  const head = ['name', ...(labelled ? ['label'] : []), 'predicted', ...classes.map(name => `p(${name})`)];
  const rows = answers.map(({ item, predicted, probabilities }) => [
    cell(item.name),
    ...(labelled ? [cell(item.label)] : []),
    cell(predicted),
    ...probabilities.map(p => p.toPrecision(5)),
  ]);
  return `${[head.map(cell), ...rows].map(row => row.join(',')).join('\n')}\n`;
}
