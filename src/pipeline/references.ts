// The graph of a pipeline: ids, what `@id` and `@id.output` refer to, and an order in which every step comes after
// those it refers to. The order of the file decides only between steps that do not depend on each other.

import { listNames, nearestName } from './nearest.ts';
import type { Step, ValueKind } from './step.ts';

/** Ids of the steps as written, and for steps without one the name under `uses`, numbered from its second use. */
export function assignIds(entries: readonly unknown[]): string[] {
  const given = entries.map(entry => {
    const { id, uses } = (entry ?? {}) as { id?: unknown; uses?: unknown };
    return { id: typeof id === 'string' ? id : undefined, uses: typeof uses === 'string' ? uses : 'step' };
  });
  const taken = new Set(given.map(({ id }) => id));
  const counts = new Map<string, number>();
  return given.map(({ id, uses }) => {
    if (id !== undefined) return id;
    let name: string;
    do {
      const count = (counts.get(uses) ?? 0) + 1;
      counts.set(uses, count);
      name = count === 1 ? uses : `${uses}-${count}`;
    } while (taken.has(name));
    return name;
  });
}

/** The two parts of `@id.output`. */
export function splitReference(reference: string): { id: string; output: string } {
  const [id, output = 'value'] = reference.slice(1).split('.');
  return { id, output };
}

/** Every text that looks like a reference, anywhere in a value. */
export function mentionedIds(value: unknown): string[] {
  if (typeof value === 'string') return value.startsWith('@') ? [splitReference(value).id] : [];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(mentionedIds) : [];
}

/** What is wrong with a reference, if anything; steps that are not known in full (`undefined`) are trusted. */
export function checkReference(
  reference: string,
  kinds: readonly ValueKind[],
  steps: ReadonlyMap<string, Step | undefined>,
): { message: string; expected?: string; remedy?: string } | undefined {
  const { id, output } = splitReference(reference);
  const ids = [...steps.keys()];
  if (!steps.has(id)) {
    const near = nearestName(id, ids);
    return {
      message: `there is no step ${id}`,
      expected: `one of ${listNames(ids.map(name => `@${name}`))}`,
      remedy: near ? `did you mean "@${near}"?` : undefined,
    };
  }
  const step = steps.get(id);
  if (!step) return undefined;
  const names = Object.keys(step.outputs);
  const shown = (name: string): string => (name === 'value' ? `@${id}` : `@${id}.${name}`);
  if (names.length === 0) {
    return {
      message: `the step ${id} (${step.name}) has no result to refer to`,
      remedy: 'refer to the step it takes its input from',
    };
  }
  const kind = Object.hasOwn(step.outputs, output) ? step.outputs[output] : undefined;
  if (!kind) {
    const near = nearestName(output, names);
    return {
      message: `the step ${id} (${step.name}) has no output ${output}`,
      expected: `one of ${listNames(names.map(shown))}`,
      remedy: near ? `did you mean "${shown(near)}"?` : undefined,
    };
  }
  if (kinds.includes(kind)) return undefined;
  const fitting = [...steps].flatMap(([other, { outputs } = { outputs: {} } as Step]) =>
    Object.entries(outputs)
      .filter(([, k]) => kinds.includes(k))
      .map(([name]) => (name === 'value' ? `@${other}` : `@${other}.${name}`)),
  );
  return {
    message: `${reference} is a ${kind}, but a ${kinds.join(' or ')} is needed`,
    expected:
      fitting.length > 0 ? `one of ${listNames(fitting)}` : `a step that makes a ${kinds.join(' or ')}`,
  };
}

/** Ids in an order that respects `needs`, and every cycle found on the way, first id repeated at its end. */
export function orderSteps(needs: ReadonlyMap<string, readonly string[]>): {
  order: string[];
  cycles: string[][];
} {
  const order: string[] = [];
  const cycles: string[][] = [];
  const state = new Map<string, 'open' | 'done'>();
  const stack: string[] = [];
  const ids = [...needs.keys()];
  const visit = (id: string): void => {
    if (state.get(id) === 'done') return;
    if (state.get(id) === 'open') {
      cycles.push([...stack.slice(stack.indexOf(id)), id]);
      return;
    }
    state.set(id, 'open');
    stack.push(id);
    const others = new Set(needs.get(id));
    for (const other of ids) if (others.has(other)) visit(other);
    stack.pop();
    state.set(id, 'done');
    order.push(id);
  };
  for (const id of ids) visit(id);
  return { order, cycles };
}
