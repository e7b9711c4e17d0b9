// Elementwise expressions as gpu.js source. Arguments of the functions that overflow single precision are clamped to
// where their result no longer changes.

import type { Expr } from './expr.ts';

const number = (n: number): string => (n < 0 || Object.is(n, -0) ? `(${n})` : String(n));

/** Source of an expression; `read(i)` is the source of input i. Free of side effects, so that it may be repeated. */
export function renderExpr(expr: Expr, read: (index: number) => string): string {
  if (typeof expr === 'number') return number(expr);
  if (typeof expr === 'string') return read(Number(expr.slice(1)));
  const [op, ...rest] = expr;
  const [a, b, c] = (rest as Expr[]).map(e => renderExpr(e, read));
  switch (op) {
    case 'add':
      return `(${a} + ${b})`;
    case 'sub':
      return `(${a} - ${b})`;
    case 'mul':
      return `(${a} * ${b})`;
    case 'div':
      return `(${a} / ${b})`;
    case 'max':
      return `Math.max(${a}, ${b})`;
    case 'min':
      return `Math.min(${a}, ${b})`;
    case 'neg':
      return `(0 - ${a})`;
    case 'abs':
      return `Math.abs(${a})`;
    case 'sqrt':
      return `Math.sqrt(${a})`;
    case 'exp':
      return `Math.exp(${a})`;
    case 'log':
      return `Math.log(${a})`;
    case 'tanh':
      return `Math.tanh(Math.max(Math.min(${a}, 15), (-15)))`;
    case 'sigmoid':
      return `(1 / (1 + Math.exp(0 - Math.max(${a}, (-80)))))`;
    case 'step':
      // Whole literals would make the choice an integer.
      return `((${a} > 0 ? 1.5 : 0.5) - 0.5)`;
    case 'select':
      return `(${a} > 0 ? ${b} : ${c})`;
  }
}
