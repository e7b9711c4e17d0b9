// Pairs that somebody lists by the names of items: in the pipeline, or in a CSV or JSON file. A name is that of the item,
// or the last part of it where only one item has that.

import { NdconvError } from '../errors.ts';
import { readWhole } from '../formats/bytes.ts';
import { rowsOf, separatorOf } from '../formats/delimited.ts';
import { formatError, reasonOf } from '../formats/format.ts';

export type NamedPair = readonly [first: string, second: string];

/** Reads a list: CSV with the columns first and second (or two columns without names), JSON `[["a", "b"], …]`. Errors: FormatError. */
export async function readPairList(path: string): Promise<NamedPair[]> {
  const text = Buffer.from(await readWhole(path)).toString('utf8');
  const pairs = /\.json$/i.test(path) ? pairsInJson(text, path) : pairsInCsv(text, path);
  if (pairs.length === 0)
    throw formatError(path, 'lists no pairs', 'give at least one line with two names of items');
  return pairs;
}

function pairsInJson(text: string, path: string): NamedPair[] {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (cause) {
    throw formatError(path, `is no JSON (${reasonOf(cause)})`, 'repair it', {}, cause);
  }
  const list = Array.isArray(found) ? found : (found as { pairs?: unknown } | null)?.pairs;
  if (!Array.isArray(list)) throw formatError(path, 'is no list', 'write [["a.jpg", "b.jpg"], …]');
  return list.map((entry: unknown, i) => {
    const names = Array.isArray(entry)
      ? entry
      : typeof entry === 'object' && entry !== null
        ? [(entry as Record<string, unknown>).first, (entry as Record<string, unknown>).second]
        : [];
    if (names.length !== 2 || !names.every(name => typeof name === 'string' && name !== ''))
      throw formatError(path, `pair ${i + 1} is not two names`, 'write ["a.jpg", "b.jpg"]', { pair: i + 1 });
    return [names[0], names[1]] as NamedPair;
  });
}

function pairsInCsv(text: string, path: string): NamedPair[] {
  const pairs: NamedPair[] = [];
  let places: [number, number] | undefined;
  for (const { line, cells } of rowsOf(text, path, separatorOf(text))) {
    if (!places) {
      const names = cells.map(cell => cell.toLowerCase());
      const [first, second] = [names.indexOf('first'), names.indexOf('second')];
      places = first >= 0 && second >= 0 ? [first, second] : [0, 1];
      if (first >= 0 && second >= 0) continue;
    }
    const [a, b] = [cells[places[0]], cells[places[1]]];
    if (!a || !b)
      throw formatError(
        path,
        `line ${line} does not name two items`,
        'give both, in the columns first and second',
        { line },
      );
    pairs.push([a, b]);
  }
  return pairs;
}

/** Finds items by name. Errors: EmbeddingError where there is none, or a last part fits several. */
export function itemFinder(items: readonly { name: string }[]): (name: string) => number {
  const whole = new Map(items.map(({ name }, i) => [name, i]));
  const last = new Map<string, number[]>();
  for (const [i, { name }] of items.entries()) {
    const part = name.slice(name.lastIndexOf('/') + 1);
    last.set(part, [...(last.get(part) ?? []), i]);
  }
  return name => {
    const found = whole.get(name);
    if (found !== undefined) return found;
    const some = last.get(name) ?? [];
    if (some.length === 1) return some[0];
    const few = items.slice(0, 5).map(item => item.name);
    throw new NdconvError(
      'EmbeddingError',
      some.length > 1
        ? `"${name}" is ${some
            .slice(0, 5)
            .map(i => items[i].name)
            .join(' or ')}: give the whole name`
        : `there is no item "${name}" among the ${items.length} embeddings (${few.join(', ')}${items.length > few.length ? ' …' : ''}); it may have been left out, or have another name`,
      { name },
    );
  };
}
