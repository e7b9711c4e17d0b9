// The highest activations of every unit while inputs stream past: a short list each, whatever there is to see. Of equal
// values the earlier input comes first, then the earlier cell, so that the same inputs always give the same lists.

/** Where a unit responded. */
export interface Hit {
  readonly value: number;
  /** Place of the input in its dataset. */
  readonly item: number;
  /** Cell of the layer, row-major over its spatial dimensions. */
  readonly cell: number;
}

/** Whether `a` stands before `b`. */
const isBefore = (a: Hit, b: Hit): boolean =>
  a.value !== b.value ? a.value > b.value : a.item !== b.item ? a.item < b.item : a.cell < b.cell;

/** Lists of at most `size` hits, one a unit, best first. */
export interface BestLists {
  readonly lists: readonly (readonly Hit[])[];
  /** A hit of this value at this item or a later one would be kept. */
  accepts(unit: number, value: number): boolean;
  add(unit: number, hit: Hit): void;
}

/** Empty lists. Items come in order; cells of an item in any. */
export function createBestLists(units: number, size: number): BestLists {
  const lists = Array.from({ length: units }, (): Hit[] => []);
  return {
    lists,
    accepts: (unit, value) => {
      const list = lists[unit];
      return list.length < size || value > list[size - 1].value;
    },
    add(unit, hit) {
      const list = lists[unit];
      let at = list.length;
      while (at > 0 && isBefore(hit, list[at - 1])) at--;
      if (at >= size) return;
      list.splice(at, 0, hit);
      if (list.length > size) list.pop();
    },
  };
}
