// WebAssembly text of one small linear map along one axis of an array whose innermost dimension, the channels, is
// contiguous: Y[row i] = Σ_j matrix[i][j] · X[row j] for vectors of channels, under any number of outer loops. Shapes are
// literals, so that every load and store is a base address plus a constant. Rows of opposite points share their even
// and odd halves; with wide vectors each step is written twice, side by side, for the engine to fuse.

import { bump, get, i32, locals, multiplyAdd, set } from '../../wasm-text.ts';

/** A loop: how often, and how many bytes on in source and target each time. */
export interface Walk {
  readonly count: number;
  readonly source: number;
  readonly target: number;
}

export interface LinearMap {
  readonly name: string;
  readonly matrix: readonly (readonly number[])[];
  /** Bytes between the rows that the matrix combines, and between those it makes. */
  readonly sourceRow: number;
  readonly targetRow: number;
  /** Loops around it, outermost first. */
  readonly walks: readonly Walk[];
  /** Contiguous bytes of a row, a multiple of 16, and of 32 where `wide`. */
  readonly run: number;
  readonly shape: 'f32x4' | 'f64x2';
  readonly relaxed: boolean;
  readonly wide: boolean;
  readonly relu?: boolean;
}

/** A function `$name (source, target)`. */
export function linearMap(map: LinearMap): string {
  const { walks, run } = merged(map);
  const pairs = map.wide ? 2 : 1;
  const constants = new Map<number, string>();
  const steps = evaluate(map, constants);
  const names = new Set(steps.flatMap(s => (typeof s.to === 'string' ? [s.to] : [])));
  const each = (text: (u: number) => string) => Array.from({ length: pairs }, (_, u) => text(u)).join(' ');
  const inputs = map.matrix[0].map((_, j) => `x${j}`);
  const body = [
    ...inputs.map((x, j) =>
      each(u => set(`${x}_${u}`, `(v128.load offset=${j * map.sourceRow + 16 * u} align=4 ${get('a')})`)),
    ),
    ...steps.map(({ to, value }) =>
      each(u =>
        typeof to === 'string'
          ? set(`${to}_${u}`, value(u))
          : `(v128.store offset=${to * map.targetRow + 16 * u} align=4 ${get('b')} ${value(u)})`,
      ),
    ),
  ].join('\n');

  const counted = (name: string, count: number, text: string) =>
    count === 1
      ? text
      : `${set(name, i32(count))} (loop $${name} ${text} (br_if $${name} (local.tee $${name} (i32.sub ${get(name)} ${i32(1)}))))`;
  const from = (level: number) => (level ? `s${level - 1}` : 'source');
  const to = (level: number) => (level ? `t${level - 1}` : 'target');
  let text = `${set('a', get(from(walks.length)))} ${set('b', get(to(walks.length)))}
    ${counted('n', run / (16 * pairs), `${body} ${bump('a', 16 * pairs)} ${bump('b', 16 * pairs)}`)}`;
  for (let l = walks.length - 1; l >= 0; l--)
    text = `${set(`s${l}`, get(from(l)))} ${set(`t${l}`, get(to(l)))}
      ${counted(`n${l}`, walks[l].count, `${text} ${bump(`s${l}`, walks[l].source)} ${bump(`t${l}`, walks[l].target)}`)}`;
  const vectors = [...inputs, ...names].flatMap(x => Array.from({ length: pairs }, (_, u) => `${x}_${u}`));
  return `(func $${map.name} (param $source i32) (param $target i32)
    ${locals('i32', 'a', 'b', 'n', ...walks.flatMap((_, l) => [`s${l}`, `t${l}`, `n${l}`]))}
    ${locals('v128', ...vectors, ...constants.values())}
    ${[...constants].map(([value, name]) => set(name, constant(map.shape, value))).join(' ')}
    ${text})`;
}

// Loops that continue one another become one, and the innermost become part of the run.
function merged({ walks, run }: LinearMap): { walks: Walk[]; run: number } {
  const kept: Walk[] = [];
  for (const walk of walks.filter(w => w.count > 1)) {
    const last = kept.at(-1);
    const continues = (side: 'source' | 'target') => last && last[side] === walk.count * walk[side];
    if (last && continues('source') && continues('target'))
      kept[kept.length - 1] = { ...walk, count: last.count * walk.count };
    else kept.push(walk);
  }
  const inner = kept.at(-1);
  if (inner?.source !== run || inner.target !== run) return { walks: kept, run };
  return { walks: kept.slice(0, -1), run: run * inner.count };
}

/** A value for a temporary, or for the row of the result with this number. */
interface Step {
  to: string | number;
  value: (u: number) => string;
}
type Term = readonly [coefficient: number, name: string];

// Straight-line steps for a matrix. Columns j, j' that agree up to sign in every row (opposite points in A) are
// replaced by their sum and difference; rows i, i' that do so in every column (opposite points in B) by e + o and e − o.
function evaluate(map: LinearMap, constants: Map<number, string>): Step[] {
  const steps: Step[] = [];
  const { shape } = map;
  const of = (c: number): string => {
    if (!constants.has(c)) constants.set(c, `k${constants.size}`);
    return get(constants.get(c)!);
  };
  const add = (a: string, b: string) => `(${shape}.add ${a} ${b})`;
  const sub = (a: string, b: string) => `(${shape}.sub ${a} ${b})`;
  const mul = (a: string, b: string) => `(${shape}.mul ${a} ${b})`;
  const madd = multiplyAdd(map.relaxed, shape);
  const sumOf = (terms: readonly Term[]) => (u: number) => {
    const weight = (c: number) => (c === 1 ? 0 : c === -1 ? 2 : 1);
    const [first, ...rest] = [...terms].sort((a, b) => weight(a[0]) - weight(b[0]));
    const x = (name: string) => get(`${name}_${u}`);
    const start =
      first[0] === 1
        ? x(first[1])
        : first[0] === -1
          ? `(${shape}.neg ${x(first[1])})`
          : mul(x(first[1]), of(first[0]));
    return rest.reduce(
      (sum, [c, name]) =>
        c === 1 ? add(sum, x(name)) : c === -1 ? sub(sum, x(name)) : madd(x(name), of(c), sum),
      start,
    );
  };
  const keep = (name: string, terms: readonly Term[]): string => {
    if (terms.length === 1 && terms[0][0] === 1) return terms[0][1];
    steps.push({ to: name, value: sumOf(terms) });
    return name;
  };

  let columns = map.matrix[0].map((_, j) => ({ name: `x${j}`, values: map.matrix.map(row => row[j]) }));
  for (const [j, l] of pairsOf(columns.map(c => c.values))) {
    const [p, q] = [columns[j], columns[l]];
    const half = (sign: number) => p.values.map((v, i) => (v && v === sign * q.values[i] ? v : 0));
    const joined = [1, -1].map(sign => ({
      name: keep(`${sign > 0 ? 'p' : 'q'}${j}`, [
        [1, p.name],
        [sign, q.name],
      ]),
      values: half(sign),
    }));
    columns = columns.map((c, at) => (at === j ? joined[0] : at === l ? joined[1] : c));
  }

  const rows = map.matrix.map((_, i) => columns.map(c => c.values[i]));
  const terms = (row: readonly number[], scale = 1): Term[] =>
    row.flatMap((c, j): Term[] => (c ? [[c / scale, columns[j].name]] : []));
  const store = (row: number, value: (u: number) => string) =>
    steps.push({
      to: row,
      value: map.relu ? u => `(${shape}.pmax (v128.const i32x4 0 0 0 0) ${value(u)})` : value,
    });
  const paired = new Map(pairsOf(rows));
  const second = new Set(paired.values());
  rows.forEach((row, i) => {
    if (second.has(i)) return;
    const other = paired.get(i);
    if (other === undefined) return store(i, sumOf(terms(row)));
    const half = (sign: number) => row.map((v, j) => (v === sign * rows[other][j] ? v : 0));
    const even = keep(`e${i}`, terms(half(1)));
    // The factor that leaves most coefficients of the odd half without a multiplication.
    const odd = half(-1).filter(v => v);
    const plain = (f: number) => odd.filter(v => Math.abs(v / f) === 1).length;
    const factor = odd.reduce((best, f) => (plain(f) > plain(best) ? f : best), odd[0]);
    const o = keep(`o${i}`, terms(half(-1), factor));
    store(
      i,
      sumOf([
        [1, even],
        [factor, o],
      ]),
    );
    store(
      other,
      sumOf([
        [1, even],
        [-factor, o],
      ]),
    );
  });
  return steps;
}

// Pairs of lists that agree up to signs, some equal and some opposite.
function pairsOf(lists: readonly (readonly number[])[]): [number, number][] {
  const found: [number, number][] = [];
  const used = new Set<number>();
  lists.forEach((a, i) => {
    if (used.has(i)) return;
    const l = lists.findIndex(
      (b, at) =>
        at > i &&
        !used.has(at) &&
        a.every((v, c) => Math.abs(v) === Math.abs(b[c])) &&
        a.some((v, c) => v && v === b[c]) &&
        a.some((v, c) => v && v === -b[c]),
    );
    if (l < 0) return;
    used.add(l);
    found.push([i, l]);
  });
  return found;
}

const constant = (shape: LinearMap['shape'], value: number): string =>
  `(v128.const ${shape} ${new Array(shape === 'f32x4' ? 4 : 2).fill(value).join(' ')})`;
