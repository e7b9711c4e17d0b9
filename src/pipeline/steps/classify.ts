// `classify`: which class a network says an input, or every item of a dataset, belongs to. Where the items' labels are
// classes, it says how often it was right and what was taken for what.

import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Backend } from '../../backends/backend.ts';
import type { Dataset } from '../../datasets/dataset.ts';
import { NdconvError } from '../../errors.ts';
import type { Field } from '../../formats/field.ts';
import { type CompiledNetwork, compileNetwork, planNetwork } from '../../networks/evaluate.ts';
import { layerIndex, type Network } from '../../networks/network.ts';
import { product } from '../../tensor/layout.ts';
import type { CheckContext, RunContext, Step } from '../step.ts';
import { type Answer, answersTable, describeAnswer, describeAnswers, percent } from './classify/report.ts';
import { accuracyOf, confusionOf, largestIndex, softmax } from './classify/score.ts';

interface Parameters {
  network: string;
  input: string;
  classes?: string[] | string;
  layer?: string;
  path?: string;
}

const times = (shape: readonly number[]): string => shape.join('×');

/** Names of the classes, those of a file one a line. */
async function namesOf(classes: Parameters['classes']): Promise<string[] | undefined> {
  if (typeof classes !== 'string') return classes;
  const lines = (await readFile(classes, 'utf8')).split(/\r?\n/).map(line => line.trim());
  return lines.filter(line => line !== '');
}

/** The layer that is read: the one asked for, or the last. */
const layerOf = (network: Network, layer?: string): string =>
  layer ?? network.layers[network.layers.length - 1].name;

/** Scores of a network are made probabilities unless its last layer did, of all classes together or of each by itself. */
const givesProbabilities = (network: Network, layer: string): boolean =>
  ['softmax', 'sigmoid'].includes(network.layers[layerIndex(network, layer)].type);

/** What is wrong with a layer whose value has this shape. */
function faultOf(layer: string, shape: readonly number[], classes?: readonly string[]): string | undefined {
  const cells = product(shape.slice(0, -1));
  const count = shape[shape.length - 1];
  if (cells > 1)
    return `layer ${layer} gives ${times(shape.slice(0, -1))} cells of ${count} channels, one answer for each; name a layer with one row, or use segment`;
  if (count < 2) return `layer ${layer} gives one number, which tells no classes apart`;
  if (classes && classes.length !== count)
    return `${classes.length} names for the ${count} classes of layer ${layer}`;
  return undefined;
}

/** The labels of a dataset that are no class: all, where it has labels of another kind, which are then left alone. */
const strangers = (labels: readonly string[], classes: readonly string[]): string[] =>
  labels.filter(label => !classes.includes(label));

/** Runs a network over fields, compiled anew where their shape changes. */
class Classifier {
  private compiled: { shape: string; network: CompiledNetwork } | undefined;
  private readonly network: Network;
  private readonly layer: string;
  private readonly backend: Backend;

  constructor(network: Network, layer: string, backend: Backend) {
    this.network = network;
    this.layer = layer;
    this.backend = backend;
  }

  async probabilities({ shape, data }: Field, classes?: readonly string[]): Promise<number[]> {
    if (this.compiled?.shape !== shape.join()) {
      await this.close();
      const network = await compileNetwork(this.network, shape, [this.layer], this.backend);
      this.compiled = { shape: shape.join(), network };
    }
    const found = (await this.compiled.network.run(data)).get(this.layer)!;
    const fault = faultOf(this.layer, found.shape.slice(1), classes);
    if (fault) throw new NdconvError('NetworkError', `classify: ${fault}`, { layer: this.layer });
    return givesProbabilities(this.network, this.layer) ? Array.from(found.data) : softmax(found.data);
  }

  async close(): Promise<void> {
    await this.compiled?.network.dispose();
    this.compiled = undefined;
  }
}

export const classify: Step<Parameters> = {
  name: 'classify',
  summary:
    'which class an input, or every item of a dataset, belongs to; with labels, how often that is right',
  schema: {
    required: ['network', 'input'],
    properties: {
      network: {
        reference: ['network'],
        description: 'a network whose last layer has a number for every class',
      },
      input: {
        reference: ['field', 'dataset'],
        description:
          'what to classify, of the size that the network takes; labels of a dataset that are classes are compared',
      },
      classes: {
        oneOf: [{ type: 'array', minItems: 2, items: { type: 'string' } }, { path: 'read' }],
        description:
          'names in the order of the network: a list, or a text file with one a line; numbers from 0 where absent',
      },
      layer: { type: 'string', description: 'the layer to read; the last of the network where absent' },
      path: {
        path: 'write',
        description: 'a .csv with every answer and its probabilities, below the output folder',
      },
    },
  },
  outputs: { value: 'table' },
  effect: true,
  async check({ params: p, planOf, problem, forecast }: CheckContext<Parameters>) {
    const unknown = { outputs: { value: { kind: 'table' as const } } };
    const network = planOf(p.network).network as Network | undefined;
    const plan = planOf(p.input);
    if (p.path !== undefined && !/\.csv$/i.test(p.path))
      problem({ at: ['path'], message: `${p.path}: answers are written as .csv` });
    const classes = await namesOf(p.classes);
    const twice = classes?.find((name, i) => classes.indexOf(name) < i);
    if (twice !== undefined) problem({ at: ['classes'], message: `two classes have the name ${twice}` });
    const labels = (plan.labelNames as string[] | undefined) ?? [];
    const others = classes ? strangers(labels, classes) : [];
    if (others.length > 0 && others.length < labels.length)
      problem({
        at: ['input'],
        message: `labels that are none of the classes ${classes!.slice(0, 12).join(', ')}: ${others.slice(0, 12).join(', ')}; leave them out or map them (windows: labels)`,
      });
    const shape = plan.kind === 'field' ? plan.shape : (plan.fieldShape as number[] | undefined);
    if (!network) return unknown;
    const names = network.layers.map(({ name }) => name);
    if (p.layer !== undefined && !names.includes(p.layer)) {
      const message = `network ${network.name} has no layer '${p.layer}'`;
      problem({ at: ['layer'], message, candidates: names });
      return unknown;
    }
    if (!shape) return unknown;
    const layer = layerOf(network, p.layer);
    let planned: ReturnType<typeof planNetwork>;
    try {
      planned = planNetwork(network, shape, [layer], forecast);
    } catch (error) {
      problem({ at: ['input'], message: (error as Error).message });
      return unknown;
    }
    const fault = faultOf(layer, planned.shapes.get(layer)!, classes);
    if (fault)
      problem({
        at: [fault.includes('names for') ? 'classes' : p.layer ? 'layer' : 'network'],
        message: fault,
      });
    const items = plan.kind === 'field' ? 1 : (plan.items as number | undefined);
    return {
      ...unknown,
      memory: planned.peak,
      ...(planned.seconds !== undefined && items !== undefined ? { seconds: planned.seconds * items } : {}),
      lines: [
        `${items === undefined ? 'inputs' : items === 1 ? 'one input' : `${items} inputs`} of ${times(shape)} → ${layer}: ${planned.shapes.get(layer)!.at(-1)} classes`,
      ],
    };
  },
  run: runClassify,
};

async function runClassify(context: RunContext<Parameters>): Promise<Record<string, unknown>> {
  const { params: p, valueOf, note, progress, signal, report, write, outputPath } = context;
  const network = valueOf<Network>(p.network);
  const input = valueOf<Field | Dataset>(p.input);
  const given = await namesOf(p.classes);
  const classifier = new Classifier(network, layerOf(network, p.layer), await context.backend());
  const answers: Answer[] = [];
  const examples: { label: string; field: Field }[] = [];
  let classes = given ?? [];
  const single = 'data' in input;
  const items = single
    ? [{ path: input.source, name: basename(input.source), label: '', identity: input.source }]
    : input.items;
  try {
    for (const [i, item] of items.entries()) {
      if (signal.aborted && answers.length > 0) break;
      signal.throwIfAborted();
      const field = single ? input : await (input as Dataset).read(item);
      if (!field) continue;
      const probabilities = await classifier.probabilities(field, given);
      if (!given) classes = probabilities.map((_, at) => String(at));
      const answer = { item, predicted: classes[largestIndex(probabilities)], probabilities };
      answers.push(answer);
      if (single || (item.label !== answer.predicted && classes.includes(item.label)))
        if (examples.length < 6)
          examples.push({ label: `${item.label} ${item.name}: ${answer.predicted}`.trim(), field });
      if (i % 16 !== 15) continue;
      progress({ fraction: (i + 1) / items.length, iteration: i + 1, iterations: items.length });
      await new Promise(resolve => setImmediate(resolve));
    }
  } finally {
    await classifier.close();
  }
  if (answers.length === 0)
    throw new NdconvError('FormatError', `classify: none of the ${items.length} items can be read`);
  const others = strangers([...new Set(answers.map(({ item }) => item.label))], classes);
  const compared = answers.filter(({ item }) => classes.includes(item.label));
  const ignored = answers.length - compared.length;
  const confusion =
    compared.length > 0
      ? confusionOf(
          classes,
          compared.map(({ item, predicted }) => ({ label: item.label, predicted })),
        )
      : undefined;
  if (confusion) {
    const accuracy = accuracyOf(confusion);
    const right = compared.filter(({ item, predicted }) => item.label === predicted).length;
    note(`${right} of ${compared.length} are right: ${percent(accuracy)}`);
    progress({ fraction: 1, figures: { accuracy } });
    if (ignored > 0)
      note(`${ignored} items have labels that are no classes (${others.slice(0, 12).join(', ')})`);
  } else
    for (const answer of answers.slice(0, 10))
      note(`${answer.item.name}: ${describeAnswer(answer, classes)}`);
  report(describeAnswers(confusion ? compared : answers, classes, confusion, examples));
  if (p.path !== undefined)
    await write(outputPath(p.path), temporary =>
      writeFile(temporary, answersTable(answers, classes, !single)),
    );
  return { value: answers };
}
