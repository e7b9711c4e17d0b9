// `ndconv network`: networks by name and what they are made of. What is downloaded, and how, is the registry's matter.

import { existsSync } from 'node:fs';
import { NdconvError } from '../../errors.ts';
import { type KnownName, knownNetworks, sketchKnownNetwork } from '../../networks/architectures.ts';
import { inspectNetwork, type LayerFacts, networkDot } from '../../networks/inspect.ts';
import type { Network } from '../../networks/network.ts';
import { randomFilters } from '../../networks/random-filters.ts';
import { detectNetworkFormat, readNetwork, readTensors } from '../../networks/readers/index.ts';
import type { ReceptiveField } from '../../networks/receptive-field.ts';
import {
  addNetwork,
  findNetwork,
  getNetwork,
  type Listed,
  listNetworks,
  openNetwork,
} from '../../networks/registry/index.ts';
import { nearestName } from '../../pipeline/nearest.ts';
import { formatBytes } from '../../pipeline/plan.ts';
import { paletteFor, printError, printLine } from '../streams.ts';
import { tableLines } from '../table.ts';

interface Flags {
  json?: boolean;
}

const printJson = (event: string, fields: object): void => printLine(JSON.stringify({ event, ...fields }));

const states: Readonly<Record<Listed['state'], string>> = {
  packaged: 'here (comes with ndconv)',
  downloaded: 'here',
  absent: 'not downloaded',
  added: 'here (added)',
};

/** What programs are told of a network. */
const forPrograms = ({ name, summary, state, entry, record, path }: Listed): object => {
  const { origin, page, licence, citation, rank, channels, preprocessing } = entry ?? {};
  const from = origin && ('url' in origin ? { url: origin.url } : { url: origin.packaged });
  const facts = { page, licence, citation, rank, channels, preprocessing, ...from };
  return { name, summary, state, ...facts, ...(record ? { record } : {}), ...(path ? { path } : {}) };
};

export async function list({ json }: Flags): Promise<void> {
  const networks = await listNetworks();
  if (json) return printJson('networks', { networks: networks.map(forPrograms) });
  const rows = networks.map(({ name, state, entry, summary }) => [
    name,
    states[state],
    entry?.licence ?? '',
    summary,
  ]);
  const random = ['random-filters', 'needs no file', '', 'random filters at several scales, in any rank'];
  const [heading, ...lines] = tableLines(
    [['network', 'files', 'licence', ''], ...rows, random],
    process.stdout.columns,
  );
  printLine(paletteFor(process.stdout).strong(heading));
  for (const line of lines) printLine(line);
}

async function expectNetwork(name: string): Promise<Listed> {
  const found = await findNetwork(name);
  if (found) return found;
  const names = (await listNetworks()).map(one => one.name);
  const near = nearestName(name, names);
  throw new NdconvError(
    'NetworkError',
    `there is no network ${name}; ${near ? `did you mean ${near}?` : `there are ${names.join(', ')}`}`,
    { name },
  );
}

export async function show(name: string, { json }: Flags): Promise<void> {
  if (name === 'random-filters')
    throw new NdconvError(
      'NetworkError',
      'random-filters has no files: its weights come from the seed of a pipeline',
      { name },
    );
  const found = await expectNetwork(name);
  if (json) return printJson('network', forPrograms(found));
  const { entry, record, path } = found;
  const rows: string[][] = [
    ['network', `${name}: ${found.summary}`],
    [
      'files',
      states[found.state] + (path ? `: ${path}` : `; download them with: ndconv network get ${name}`),
    ],
  ];
  if (entry) {
    const { origin, preprocessing, channels } = entry;
    const numbers = (values: readonly number[]) => values.map(v => Number(v.toPrecision(4))).join(', ');
    rows.push(
      ['origin', 'url' in origin ? origin.url : origin.packaged],
      ['page', entry.page],
      ['licence', entry.licence],
      ['input', `${channels} channels in the order ${preprocessing.order}, values in [0, 1]`],
      [
        'normalised',
        `mean ${numbers(preprocessing.mean)}, deviation ${numbers(preprocessing.deviation)} (by its layer preprocess)`,
      ],
      ['to cite', entry.citation],
    );
    if ('url' in origin) {
      rows.push([
        'download',
        `${formatBytes(origin.bytes)}${origin.tensors ? ', the tensors that are needed' : ''}`,
      ]);
      if (!record)
        rows.push([
          'sha256',
          origin.sha256 ? `begins with ${origin.sha256}` : 'that of the first download is recorded',
        ]);
    }
  }
  if (record) {
    rows.push([
      'sha256',
      `${record.sha256} (${record.trust === 'given' ? 'as the origin says' : 'recorded when it came'})`,
    ]);
    if (!entry) rows.push(['origin', record.source]);
  }
  for (const line of tableLines(rows, process.stdout.columns)) printLine(line);
}

export async function get(name: string, { json, offline }: Flags & { offline?: boolean }): Promise<void> {
  if (name === 'random-filters')
    throw new NdconvError('NetworkError', 'random-filters needs no download', { name });
  const found = await expectNetwork(name);
  const bar = json || process.stderr.isTTY !== true ? undefined : await progressBar();
  const stop = new AbortController();
  const onSignal = () =>
    stop.abort(new NdconvError('NetworkError', 'stopped; what came is kept: run it again to go on'));
  process.once('SIGINT', onSignal);
  let told = 0;
  try {
    if (!json && found.path === undefined && !offline) printError(`downloading ${name} …`);
    const got = await getNetwork(name, {
      offline,
      signal: stop.signal,
      onProgress: (done, total) => {
        bar?.show(done, total);
        if (json && Date.now() - told > 1000) {
          told = Date.now();
          printJson('progress', { name, done, total });
        }
      },
    });
    bar?.close();
    const { record, path, fresh } = got;
    if (json) return printJson('got', { name, path, fresh, ...record });
    const bytes = record ? `, ${formatBytes(record.bytes)}` : '';
    printLine(`${name} is ${fresh ? 'here now' : 'here'}: ${path}${bytes}`);
    if (record && fresh)
      printLine(
        record.trust === 'given'
          ? `its SHA-256 is as its origin says: ${record.sha256}`
          : `its SHA-256 is recorded, and expected from now on: ${record.sha256}`,
      );
    else if (record) printLine(`its SHA-256 is as recorded: ${record.sha256}`);
  } finally {
    bar?.close();
    process.off('SIGINT', onSignal);
  }
}

async function progressBar(): Promise<{ show(done: number, total?: number): void; close(): void }> {
  const { default: progress } = await import('cli-progress');
  const bar = new progress.SingleBar({
    format: '{bar} {done} of {all}',
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
  });
  let started = false;
  return {
    show(done, total = 0) {
      const texts = { done: formatBytes(done), all: total > 0 ? formatBytes(total) : '?' };
      if (!started) bar.start(total, done, texts);
      else bar.update(done, texts);
      started = true;
    },
    close() {
      if (started) bar.stop();
      started = false;
    },
  };
}

export async function add(
  file: string,
  { json, as, name }: Flags & { as?: string; name?: string },
): Promise<void> {
  if (as !== undefined && name !== undefined)
    throw new NdconvError(
      'NetworkError',
      '--as and --name: weights of a known network keep its name; leave --name out',
    );
  const added = await addNetwork(file, { ...(as ? { as } : {}), ...(name ? { name } : {}) });
  if (json) return printJson('added', forPrograms(added));
  printLine(`${added.name} is here: ${added.path}`);
  printLine(
    as === undefined
      ? `in a pipeline: with: { from: added, name: ${added.name} }`
      : `in a pipeline: with: { from: ${added.name} }`,
  );
}

/** `224x224`, `64×64×64` or `16000`. */
function parseSizes(text: string): number[] {
  const sizes = text.split(/[x×,]/i).map(part => (/^\d+$/.test(part.trim()) ? Number(part) : 0));
  if (sizes.every(n => n > 0 && Number.isSafeInteger(n))) return sizes;
  throw new NdconvError(
    'PipelineError',
    `--input ${text}: give the size of every dimension, such as 224x224`,
    { input: text },
  );
}

/** The network of a file or a name; known ones without their weights where these are not here. */
async function networkOf(which: string, sizes: number[] | undefined): Promise<Network> {
  if (which === 'random-filters')
    return randomFilters({
      rank: sizes?.length ?? 2,
      channels: 1,
      kernels: [3, 5],
      filters: 32,
      blocks: 2,
      seed: 0,
    });
  if (existsSync(which)) return readNetwork(which);
  const found = await findNetwork(which);
  if (found?.path !== undefined) return openNetwork(which);
  if (found) return sketchKnownNetwork(which as KnownName);
  const names = [
    ...Object.keys(knownNetworks),
    'random-filters',
    ...(await listNetworks()).map(({ name }) => name),
  ];
  const near = nearestName(which, names);
  throw new NdconvError(
    'NetworkError',
    `there is neither a file nor a network ${which}; ${near ? `did you mean ${near}?` : `there are the networks ${[...new Set(names)].join(', ')}`}`,
    { which },
  );
}

interface InspectFlags extends Flags {
  input?: string;
  dot?: boolean;
}

export async function inspect(which: string, { json, dot, input }: InspectFlags): Promise<void> {
  const sizes = input === undefined ? undefined : parseSizes(input);
  if (existsSync(which) && !['onnx', 'tfjs'].includes(await detectNetworkFormat(which))) {
    if (sizes || dot)
      throw new NdconvError(
        'NetworkError',
        `${which} holds tensors and does not say how they are connected, so that --${sizes ? 'input' : 'dot'} has no effect`,
        { path: which },
      );
    return inspectTensors(which, json);
  }
  const network = await networkOf(which, sizes);
  if (sizes && sizes.length !== network.rank)
    throw new NdconvError(
      'NetworkError',
      `--input ${input} has ${sizes.length} sizes, and network ${network.name} takes ${network.rank} spatial dimensions`,
      { input },
    );
  const shape = sizes && [...sizes, network.channels];
  const facts = inspectNetwork(network, shape);
  if (dot) return printLine(networkDot(network, facts, shape));
  const { name, rank, channels } = network;
  const parameters = facts.reduce((sum, layer) => sum + layer.parameters, 0);
  const multiplyAdds = shape && facts.reduce((sum, layer) => sum + layer.multiplyAdds!, 0);
  if (json) {
    const input = shape ? { input: shape, multiplyAdds } : {};
    return printJson('inspected', { name, rank, channels, parameters, ...input, layers: facts });
  }
  printTable(facts);
  const cost = multiplyAdds === undefined ? '' : `, ${inWords(multiplyAdds)} multiply-adds`;
  printLine(
    `\n${name}: rank ${rank}, ${channels} channels in, ${facts.length} layers, ${parameters.toLocaleString('en-US')} parameters${cost}`,
  );
  if (!shape)
    printLine(
      `--input ${new Array(Math.max(1, rank)).fill(rank > 2 ? 64 : 224).join('x')} adds shapes and cost`,
    );
}

const times = (values: readonly unknown[]): string =>
  new Set(values).size === 1 && values.length > 1 ? `${values[0]}` : values.join('×');
const amount = (n: number): string => (Number.isFinite(n) ? `${Number(n.toFixed(3))}` : 'all');

const inWords = (n: number): string =>
  n >= 1e9
    ? `${(n / 1e9).toPrecision(3)} G`
    : n >= 1e6
      ? `${(n / 1e6).toPrecision(3)} M`
      : n.toLocaleString('en-US');

function fieldCells(field: ReceptiveField | undefined): string[] {
  if (!field) return ['none', '', ''];
  return [
    times(field.size.map(amount)),
    times(field.stride.map(step => (step === undefined ? '' : amount(step)))),
    times(field.start.map(at => (Number.isFinite(at) ? amount(at) : ''))),
  ];
}

/** One line a layer. Sizes that are the same along all axes are said once. */
function printTable(facts: readonly LayerFacts[]): void {
  const sized = facts.some(({ shape }) => shape);
  const heading = [
    'layer',
    'type',
    ...(sized ? ['shape'] : []),
    'parameters',
    'field',
    'stride',
    'start',
    ...(sized ? ['multiply-adds'] : []),
    'from',
  ];
  const rows = facts.map(({ name, type, shape, parameters, field, multiplyAdds, from }, i) => [
    name,
    type,
    ...(shape ? [shape.join('×')] : []),
    parameters > 0 ? parameters.toLocaleString('en-US') : '',
    ...fieldCells(field),
    ...(multiplyAdds === undefined ? [] : [multiplyAdds > 0 ? inWords(multiplyAdds) : '']),
    from.length === 1 && from[0] === (facts[i - 1]?.name ?? 'input') ? '' : from.join(', '),
  ]);
  const [first, ...lines] = tableLines([heading, ...rows], process.stdout.columns);
  printLine(paletteFor(process.stdout).strong(first));
  for (const line of lines) printLine(line);
}

async function inspectTensors(path: string, json: boolean | undefined): Promise<void> {
  const tensors = [...(await readTensors(path))].map(([name, { shape, data }]) => ({
    name,
    shape,
    count: data.length,
  }));
  if (json)
    return printJson('tensors', { path, tensors: tensors.map(({ name, shape }) => ({ name, shape })) });
  const rows = tensors.map(({ name, shape, count }) => [
    name || '(unnamed)',
    shape.join('×'),
    count.toLocaleString('en-US'),
  ]);
  const [first, ...lines] = tableLines([['tensor', 'shape', 'numbers'], ...rows], process.stdout.columns);
  printLine(paletteFor(process.stdout).strong(first));
  for (const line of lines) printLine(line);
  printLine(`\n${path} holds tensors and does not say how they are connected`);
}
