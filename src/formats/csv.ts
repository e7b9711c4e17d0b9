// Numbers in CSV and TSV. With a time column a table is a signal: its other columns are the channels and the column gives
// the sample rate, which has to be even. Without one it is a bare array like npy, rows by columns. Out: signals and sounds
// with a time column in seconds, arrays of up to two dimensions as plain rows. Decimal commas are not read.

import { arrayOptions, describeArray } from './arrays.ts';
import { expectSizes, readWhole } from './bytes.ts';
import { quoted, rowsOf, type Separator, separatorOf } from './delimited.ts';
import { type Field, sampleRateOf } from './field.ts';
import { type Format, formatError, type ReadOptions } from './format.ts';

/** Names of a time column, with the unit in brackets or after an underscore: time, t, `time (ms)`, time_s. */
const timeName =
  /^(?:time|t|seconds|elapsed)(?:\s*[([](s|sec|seconds|ms|us|µs|min|h)[)\]]|_(s|ms|us|min|h))?$/i;
const unitSeconds: Record<string, number> = {
  s: 1,
  sec: 1,
  seconds: 1,
  ms: 1e-3,
  us: 1e-6,
  µs: 1e-6,
  min: 60,
  h: 3600,
};

/** Largest distance of a moment from an even grid, as part of the spacing. */
const unevenness = 0.05;

interface Table {
  names: string[] | undefined;
  /** Numbers row by row. */
  values: Float64Array;
  rows: number;
  columns: number;
  /** Line of every row, for messages. */
  lineOf: (row: number) => number;
}

const isNumber = (cell: string): boolean => cell !== '' && !Number.isNaN(Number(cell));

/** What stands for "no value". */
const missing = /^(|nan|na|n\/a|null|none|-)$/i;

function parseTable(path: string, text: string, separator: Separator): Table {
  let names: string[] | undefined;
  let columns = 0;
  let values = new Float64Array(1024);
  const lines: number[] = [];
  let count = 0;
  for (const { line, cells } of rowsOf(text, path, separator)) {
    if (columns === 0) {
      columns = cells.length;
      if (!cells.every(cell => isNumber(cell) || missing.test(cell))) {
        names = cells;
        continue;
      }
    }
    if (cells.length !== columns)
      throw formatError(
        path,
        `line ${line} has ${cells.length} values and the lines before ${columns}`,
        'repair the line; the file may be truncated there',
        { line },
      );
    if (count + columns > values.length) {
      const longer = new Float64Array(2 * values.length + columns);
      longer.set(values);
      values = longer;
    }
    for (const [column, cell] of cells.entries()) {
      const value = missing.test(cell) ? Number.NaN : Number(cell);
      if (Number.isNaN(value) && !missing.test(cell))
        throw formatError(
          path,
          `line ${line}, column ${names?.[column] || column + 1}: "${cell.slice(0, 40)}" is no number`,
          'write numbers with a decimal point, and leave cells without a value empty',
          { line, column },
        );
      values[count++] = value;
    }
    lines.push(line);
  }
  if (lines.length === 0)
    throw formatError(path, 'holds no row of numbers', 'use a table that holds numbers');
  return {
    names,
    values: values.subarray(0, count),
    rows: lines.length,
    columns,
    lineOf: row => lines[row],
  };
}

/** Seconds between rows. Errors: FormatError with the line where the spacing changes. */
function spacingOf(path: string, { values, rows, columns, lineOf }: Table, time: number, by: number): number {
  const at = (row: number): number => values[row * columns + time] * by;
  if (rows < 2) throw formatError(path, 'one row gives no sample rate', 'give at least two');
  const spacing = (at(rows - 1) - at(0)) / (rows - 1);
  // Short of an even grid, the usual step tells better which row is wrong.
  const steps = Float64Array.from({ length: rows - 1 }, (_, row) => at(row + 1) - at(row)).sort();
  const usual = steps[steps.length >> 1];
  for (let row = 1; row < rows; row++) {
    const step = at(row) - at(row - 1);
    if (step > 0 && Math.abs(at(row) - at(0) - row * spacing) <= unevenness * spacing) continue;
    const odd = [...steps.keys()].findIndex(
      i => !(Math.abs(at(i + 1) - at(i) - usual) <= 2 * unevenness * Math.abs(usual)),
    );
    const place = odd < 0 ? row : odd + 1;
    const [before, after] = [at(place - 1), at(place)].map(value => Number(value.toPrecision(9)));
    throw formatError(
      path,
      `its rows are not evenly spaced in time: from line ${lineOf(place - 1)} to line ${lineOf(place)} it goes from ${before} to ${after} s, and elsewhere by ${Number(usual.toPrecision(6))} s`,
      'fill or remove the rows there, or resample it to an even rate first',
      { line: lineOf(place), from: before, to: after },
    );
  }
  return spacing;
}

/** Spacings as people mean them: 0.00277778 written with six digits is 1/360. */
function tidySpacing(spacing: number, length: number): number {
  const rate = 1 / spacing;
  const whole = Math.round(rate);
  return whole > 0 && Math.abs(rate / whole - 1) * length < unevenness ? 1 / whole : spacing;
}

/** Column names without their unit, and the unit where all have the same: `II (mV)`. */
function channelsOf(names: readonly string[]): { channelNames: string[]; valueUnit: string } {
  const parts = names.map(name => /^(.*\S)\s*[([]([^)\]]+)[)\]]$/.exec(name));
  const unit = parts[0]?.[2] ?? '';
  const alike = parts.every(part => part?.[2] === unit);
  return alike
    ? { channelNames: parts.map(part => (part as RegExpExecArray)[1]), valueUnit: unit }
    : { channelNames: [...names], valueUnit: '' };
}

async function read(path: string, options: ReadOptions): Promise<Field> {
  const text = Buffer.from(await readWhole(path)).toString('utf8');
  const table = parseTable(path, text, separatorOf(text));
  const { names, values, rows, columns } = table;
  const time = names?.findIndex(name => timeName.test(name)) ?? -1;
  if (time < 0) {
    const shape = columns === 1 ? [rows] : [rows, columns];
    const { header } = describeArray(path, shape, 'float32', options);
    const named = names && header.shape[header.shape.length - 1] === columns && options.channels === 'last';
    return { ...header, ...(named ? { channelNames: names } : {}), data: Float32Array.from(values) };
  }
  if (options.spacing || (options.kind && !['array', 'signal', 'sound'].includes(options.kind)))
    throw formatError(
      path,
      `its column ${names?.[time]} says its sample rate, so that it is a signal`,
      'leave out the kind and the sample rate',
    );
  if (columns < 2) throw formatError(path, 'holds times and no values', 'add a column of values');
  const [, inBrackets, suffix] = timeName.exec((names as string[])[time]) as RegExpExecArray;
  const by = unitSeconds[(inBrackets ?? suffix ?? 's').toLowerCase()];
  const spacing = tidySpacing(spacingOf(path, table, time, by), rows);
  const data = new Float32Array(rows * (columns - 1));
  for (let row = 0, to = 0, from = 0; row < rows; row++)
    for (let column = 0; column < columns; column++, from++) if (column !== time) data[to++] = values[from];
  const shape = [rows, columns - 1];
  expectSizes(path, shape);
  return {
    kind: options.kind === 'sound' ? 'sound' : 'signal',
    shape,
    data,
    axes: [{ name: 'time', spacing, unit: 's' }],
    source: path,
    sampleType: 'float32',
    ...channelsOf((names as string[]).filter((_, column) => column !== time)),
  };
}

/** The shortest decimal that is this float32. */
function shortest(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === Math.fround(value)) return text;
  }
  return String(Number(value.toPrecision(9)));
}

function writeRows(field: Field, target: string, separator: Separator): string[] {
  const [rows, channels] = [field.shape[0], field.shape[field.shape.length - 1]];
  const columns = field.data.length / rows;
  const rate = sampleRateOf(field);
  const timed = field.shape.length === 2 && rate > 0;
  if (!timed && (field.shape.length > 3 || (field.shape.length === 3 && channels > 1)))
    throw formatError(
      target,
      `csv holds rows and columns, and this ${field.kind} has shape ${field.shape.join('×')}`,
      'save it as .npz',
    );
  const lines: string[] = [];
  const unit = field.valueUnit ? ` (${field.valueUnit})` : '';
  const names = field.channelNames ?? Array.from({ length: channels }, (_, i) => `channel ${i + 1}`);
  if (timed) lines.push(['time (s)', ...names.map(name => quoted(name + unit, separator))].join(separator));
  const { spacing } = field.axes[0];
  for (let row = 0, at = 0; row < rows; row++) {
    const cells: string[] = timed ? [String(Number((row * spacing).toPrecision(12)))] : [];
    for (let column = 0; column < columns; column++) cells.push(shortest(field.data[at++]));
    lines.push(cells.join(separator));
  }
  return lines;
}

/** Whether a text can be a table of numbers: in its first lines as many cells each, numbers below the first. */
function looksLikeTable(head: Uint8Array): boolean {
  const text = Buffer.from(head).toString('utf8');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what makes a file binary.
  if (/[\0-\x08\x0e-\x1f]/.test(text)) return false;
  const rows: string[][] = [];
  try {
    for (const { cells } of rowsOf(text, '', separatorOf(text))) rows.push(cells);
  } catch {
    return false;
  }
  // The last line may be cut.
  if (rows.length > 2 && head.length >= 4096) rows.pop();
  const numeric = (cells: string[]): boolean =>
    cells.some(isNumber) && cells.every(cell => isNumber(cell) || missing.test(cell));
  const below = rows.length > 1 ? rows.slice(1) : rows;
  return below.length > 0 && below.slice(0, 3).every(cells => cells.some(isNumber)) && numeric(below[0]);
}

export const csv: Format = {
  name: 'csv',
  kinds: ['signal', 'array', 'sound'],
  extensions: ['.csv', '.tsv'],
  summary: 'tables of numbers; with a time column a signal, whose spacing has to be even',
  readOptions: arrayOptions,
  detect: looksLikeTable,
  read,

  async encode(field, target) {
    const separator = target.toLowerCase().endsWith('.tsv') ? '\t' : ',';
    const text = `${writeRows(field, target, separator).join('\n')}\n`;
    return { parts: [Buffer.from(text, 'utf8')], sampleType: 'float32', clipped: 0 };
  },
};
