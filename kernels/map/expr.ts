// Elementwise expressions as plain data, shared by `map` and `reduce`: a number is a constant, 'x3' is input 3, and an
// array is an operation with its arguments. Data, so that kernels print, hash, differentiate and render to any language.

/** Operations and their number of arguments. `step(x)` is 1 where x > 0, else 0; `select(c, a, b)` is a where c > 0. */
export const ARITY = {
  add: 2,
  sub: 2,
  mul: 2,
  div: 2,
  max: 2,
  min: 2,
  neg: 1,
  abs: 1,
  sqrt: 1,
  exp: 1,
  log: 1,
  tanh: 1,
  sigmoid: 1,
  step: 1,
  select: 3,
} as const;

export type ExprOp = keyof typeof ARITY;
export type Expr = number | `x${number}` | readonly [ExprOp, ...Expr[]];

/** Evaluates in double precision. */
export function evaluate(expr: Expr, inputs: ArrayLike<number>): number {
  if (typeof expr === 'number') return expr;
  if (typeof expr === 'string') return inputs[Number(expr.slice(1))];
  const [op, first, second, third] = expr;
  const a = evaluate(first, inputs);
  switch (op) {
    case 'add':
      return a + evaluate(second, inputs);
    case 'sub':
      return a - evaluate(second, inputs);
    case 'mul':
      return a * evaluate(second, inputs);
    case 'div':
      return a / evaluate(second, inputs);
    case 'max':
      return Math.max(a, evaluate(second, inputs));
    case 'min':
      return Math.min(a, evaluate(second, inputs));
    case 'neg':
      return -a;
    case 'abs':
      return Math.abs(a);
    case 'sqrt':
      return Math.sqrt(a);
    case 'exp':
      return Math.exp(a);
    case 'log':
      return Math.log(a);
    case 'tanh':
      return Math.tanh(a);
    case 'sigmoid':
      return 1 / (1 + Math.exp(-a));
    case 'step':
      return a > 0 ? 1 : 0;
    case 'select':
      return a > 0 ? evaluate(second, inputs) : evaluate(third, inputs);
  }
}

// Constructors that fold constants, so that derivatives stay short.
const isNumber = (e: Expr): e is number => typeof e === 'number';
export const add = (a: Expr, b: Expr): Expr =>
  isNumber(a) && isNumber(b) ? a + b : a === 0 ? b : b === 0 ? a : ['add', a, b];
export const sub = (a: Expr, b: Expr): Expr =>
  isNumber(a) && isNumber(b) ? a - b : b === 0 ? a : a === 0 ? neg(b) : ['sub', a, b];
export const mul = (a: Expr, b: Expr): Expr =>
  isNumber(a) && isNumber(b) ? a * b : a === 0 || b === 0 ? 0 : a === 1 ? b : b === 1 ? a : ['mul', a, b];
export const div = (a: Expr, b: Expr): Expr =>
  isNumber(a) && isNumber(b) ? a / b : a === 0 ? 0 : b === 1 ? a : ['div', a, b];
export const neg = (a: Expr): Expr => (isNumber(a) ? -a : ['neg', a]);

/**
 * Derivative with respect to input `index`. `out` names an input that holds the value of `expr` itself, so that the
 * outermost function can use its result instead of computing it again; pass undefined where there is none.
 */
export function derivative(expr: Expr, index: number, out?: Expr): Expr {
  if (isNumber(expr)) return 0;
  if (typeof expr === 'string') return expr === `x${index}` ? 1 : 0;
  const [op, a, b, c] = expr;
  const y = out ?? expr;
  const da = derivative(a, index);
  switch (op) {
    case 'add':
      return add(da, derivative(b, index));
    case 'sub':
      return sub(da, derivative(b, index));
    case 'mul':
      return add(mul(da, b), mul(a, derivative(b, index)));
    case 'div': {
      const db = derivative(b, index);
      return sub(div(da, b), db === 0 ? 0 : mul(db, div(y, b)));
    }
    // Where both arguments are equal the whole slope goes to the second: relu(0) has slope 0, as in PyTorch.
    case 'max': {
      const db = derivative(b, index);
      if (b === 0 && isNumber(b)) return mul(da, ['step', out ?? a]);
      return da === 0 && db === 0 ? 0 : ['select', ['sub', a, b], da, db];
    }
    case 'min': {
      const db = derivative(b, index);
      return da === 0 && db === 0 ? 0 : ['select', ['sub', b, a], da, db];
    }
    case 'neg':
      return neg(da);
    case 'abs':
      return mul(da, ['sub', ['step', a], ['step', ['neg', a]]]);
    case 'sqrt':
      return div(da, mul(2, y));
    case 'exp':
      return mul(da, y);
    case 'log':
      return div(da, a);
    case 'tanh':
      return mul(da, sub(1, mul(y, y)));
    case 'sigmoid':
      return mul(da, mul(y, sub(1, y)));
    case 'step':
      return 0;
    case 'select': {
      const db = derivative(b, index);
      const dc = derivative(c, index);
      return db === 0 && dc === 0 ? 0 : ['select', a, db, dc];
    }
  }
}

/** Whether the derivative of the outermost operation is shorter when it may read the result. */
export const usesResult = (expr: Expr): boolean =>
  Array.isArray(expr) &&
  (['sqrt', 'exp', 'tanh', 'sigmoid', 'div'].includes(expr[0]) || (expr[0] === 'max' && expr[2] === 0));

/** Rewrites the input names. */
export function substitute(expr: Expr, replace: (index: number) => Expr): Expr {
  if (isNumber(expr)) return expr;
  if (typeof expr === 'string') return replace(Number(expr.slice(1)));
  return [expr[0], ...(expr.slice(1) as Expr[]).map(e => substitute(e, replace))] as unknown as Expr;
}

/** Indices of the inputs that occur. */
export function inputsIn(expr: Expr, found = new Set<number>()): Set<number> {
  if (typeof expr === 'string') found.add(Number(expr.slice(1)));
  else if (Array.isArray(expr)) for (const e of expr.slice(1)) inputsIn(e as Expr, found);
  return found;
}

/** Number of operations in the expression. */
export const weightOf = (expr: Expr): number =>
  Array.isArray(expr) ? 1 + (expr.slice(1) as Expr[]).reduce((n: number, e) => n + weightOf(e), 0) : 0;

/** Infix text for people: `max(x0 + x1, 0)`. */
export function printExpr(expr: Expr): string {
  if (!Array.isArray(expr)) return String(expr);
  const infix: Record<string, string> = { add: '+', sub: '-', mul: '*', div: '/' };
  const args = (expr.slice(1) as Expr[]).map(printExpr);
  return infix[expr[0]] ? `(${args.join(` ${infix[expr[0]]} `)})` : `${expr[0]}(${args.join(', ')})`;
}
