// `style-transfer`: gives the content the style of one or more others; sounds, images, volumes and signals alike.

import { NdconvError } from '../../errors.ts';
import type { Field } from '../../formats/field.ts';
import { layerIndex, type Network } from '../../networks/network.ts';
import { OPTIMISERS, type OptimiserSettings } from '../../optim/settings.ts';
import { createRandom } from '../../random.ts';
import { frontEndFor, gridShape } from '../../style/front-ends.ts';
import { planStyle, type StyleFigures, type StyleProblem, transferStyle } from '../../style/transfer.ts';
import { product } from '../../tensor/layout.ts';
import type { CheckContext, Schema, Step } from '../step.ts';

interface Part {
  input: string;
  layers: Record<string, number>;
  weight?: number;
}

interface Parameters {
  network: string;
  content: Part;
  styles: Part[];
  contentWeight: number;
  styleWeight: number;
  totalVariation: number;
  start: string;
  optimiser: keyof typeof OPTIMISERS;
  rate?: number;
  iterations: number;
}

const layers: Schema = {
  type: 'object',
  minProperties: 1,
  additionalProperties: { type: 'number', exclusiveMinimum: 0 },
  description: 'weight by layer name',
};

export const styleTransfer: Step<Parameters> = {
  name: 'style-transfer',
  summary: 'content in the style of others, by gradient descent on the result (Gatys et al. 2016)',
  schema: {
    required: ['network', 'content', 'styles'],
    properties: {
      network: { reference: ['network'], description: 'the frozen network' },
      content: {
        type: 'object',
        required: ['input', 'layers'],
        properties: { input: { reference: ['field'], description: 'what is shown' }, layers },
        description: 'the content and the layers that hold it',
      },
      styles: {
        type: 'array',
        minItems: 1,
        description: 'the styles and the layers that hold them (λ by layer)',
        items: {
          type: 'object',
          required: ['input', 'layers'],
          properties: {
            input: { reference: ['field'], description: 'whose style' },
            layers,
            weight: { type: 'number', exclusiveMinimum: 0, default: 1, description: 'share of this style' },
          },
        },
      },
      contentWeight: { type: 'number', minimum: 0, default: 1, description: 'α' },
      styleWeight: { type: 'number', exclusiveMinimum: 0, default: 1, description: 'β' },
      totalVariation: { type: 'number', minimum: 0, default: 0, description: 'weight of total variation' },
      start: { enum: ['content', 'noise'], default: 'content', description: 'where the result starts' },
      optimiser: { enum: Object.keys(OPTIMISERS), default: 'lbfgs', description: 'how the loss is lowered' },
      rate: { type: 'number', exclusiveMinimum: 0, description: 'learning rate of adam and sgd' },
      iterations: { type: 'integer', minimum: 1, default: 200, description: 'steps' },
    },
  },
  outputs: { value: 'field' },
  check(context: CheckContext<Parameters>) {
    const { params, planOf, problem } = context;
    const network = planOf(params.network).network as Network | undefined;
    const content = planOf(params.content.input);
    if (params.rate !== undefined && params.optimiser === 'lbfgs')
      problem({ at: ['rate'], message: 'rate has no effect with lbfgs' });
    if (!network || !content.shape) return { outputs: { value: content } };
    const grids = [params.content, ...params.styles].map(p => planOf(p.input));
    const wrong = [params.content, ...params.styles].map((part, i) => {
      const at = i === 0 ? ['content'] : ['styles', i - 1];
      const missing = Object.keys(part.layers).filter(name => !network.layers.some(l => l.name === name));
      for (const name of missing)
        problem({
          at: [...at, 'layers', name],
          message: `network ${network.name} has no layer '${name}'`,
          candidates: network.layers.map(l => l.name),
        });
      if (grids[i].fieldKind !== content.fieldKind)
        problem({
          at: [...at, 'input'],
          message: `${part.input} is a ${grids[i].fieldKind}, the content a ${content.fieldKind}: both must be of one kind`,
        });
      return missing.length > 0 || grids[i].fieldKind !== content.fieldKind;
    });
    if (wrong.some(w => w)) return { outputs: { value: content } };
    const blank = (plan: { shape?: number[]; fieldKind?: unknown }) => {
      const shape = gridShape({ kind: plan.fieldKind as Field['kind'], shape: plan.shape! });
      // Only sizes matter here.
      return {
        shape: [...shape.slice(0, -1), network.channels],
        data: new Float32Array(product(shape.slice(0, -1)) * network.channels),
      };
    };
    const own = gridShape({ kind: content.fieldKind as Field['kind'], shape: content.shape });
    if (own.at(-1) !== network.channels)
      problem({
        at: ['network'],
        message: `network ${network.name} takes ${network.channels} channels, the content has ${own.at(-1)}: set channels: ${own.at(-1)}`,
      });
    else if (own.length - 1 !== network.rank)
      problem({
        at: ['network'],
        message: `network ${network.name} takes ${network.rank} spatial dimensions, the content has ${own.length - 1}: set rank: ${own.length - 1}`,
      });
    else {
      const grid = blank(content);
      const plan = planStyle({
        network,
        content: { grid, layers: params.content.layers },
        styles: params.styles.map((s, i) => ({
          grid: blank(grids[i + 1]),
          layers: s.layers,
          weight: s.weight ?? 1,
        })),
        contentWeight: params.contentWeight,
        styleWeight: params.styleWeight,
        totalVariation: params.totalVariation,
        start: grid,
        optimiser: optimiserOf(params),
        iterations: params.iterations,
      });
      return {
        outputs: { value: content },
        memory: plan.peak,
        lines: [`grid [${own}], ${plan.calls} kernel calls a step, ${(plan.peak / 2 ** 20).toFixed(0)} MiB`],
      };
    }
    return { outputs: { value: content } };
  },
  async run(context) {
    const { params, valueOf, seed, signal, progress, note, report } = context;
    const network = valueOf<Network>(params.network);
    const content = valueOf<Field>(params.content.input);
    const front = frontEndFor(content);
    const grid = front.encode(content);
    const random = createRandom(seed, 'start');
    const styles = params.styles.map(s => ({
      field: valueOf<Field>(s.input),
      grid: front.encode(valueOf<Field>(s.input)),
      layers: s.layers,
      weight: s.weight ?? 1,
    }));
    for (const name of Object.keys(params.content.layers)) layerIndex(network, name);
    const problem: StyleProblem = {
      network,
      content: { grid, layers: params.content.layers },
      styles,
      contentWeight: params.contentWeight,
      styleWeight: params.styleWeight,
      totalVariation: params.totalVariation,
      start:
        params.start === 'content'
          ? grid
          : { shape: grid.shape, data: grid.data.map(() => 0.5 + 0.2 * random.normal()) },
      optimiser: optimiserOf(params),
      iterations: params.iterations,
    };
    const history: StyleFigures[] = [];
    const outcome = await transferStyle(problem, await context.backend(), async figures => {
      history.push(figures);
      progress({
        fraction: (0.9 * figures.iteration) / params.iterations,
        figures: { loss: figures.total, style: figures.style },
      });
      await new Promise(setImmediate);
      return !signal.aborted;
    });
    if (history.length === 0)
      throw new NdconvError(
        'RunError',
        'style transfer: no step lowered the loss; start from noise or use other layers',
      );
    const [first, last] = [history[0], history.at(-1)!];
    note(
      `style loss ${first.style.toPrecision(4)} → ${last.style.toPrecision(4)} (÷ ${(first.style / last.style).toFixed(1)}) in ${outcome.iterations} steps, ${outcome.seconds.toFixed(1)} s`,
    );
    const result = await front.decode(outcome.grid, f => progress({ fraction: 0.9 + 0.1 * f }), signal);
    const x = history.map(h => h.iteration);
    report({
      title: 'Style transfer',
      blocks: [
        {
          type: 'fields',
          items: [
            { label: 'content', field: content },
            ...styles.map((s, i) => ({
              label: styles.length > 1 ? `style ${i + 1}` : 'style',
              field: s.field,
            })),
            { label: 'result', field: result },
          ],
        },
        {
          type: 'curves',
          title: 'Losses',
          xLabel: 'step',
          yLabel: 'loss',
          log: true,
          curves: [
            { label: 'total', x, y: history.map(h => h.total) },
            { label: 'style', x, y: history.map(h => h.style) },
            { label: 'content', x, y: history.map(h => h.content) },
          ],
        },
      ],
    });
    return { value: result };
  },
};

function optimiserOf(p: Parameters): OptimiserSettings {
  const settings = OPTIMISERS[p.optimiser];
  return settings.name === 'lbfgs' || p.rate === undefined ? settings : { ...settings, rate: p.rate };
}
