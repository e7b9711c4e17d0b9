// Elementwise expressions as SIMD text, four values at a time, for `map` and `reduce`. exp and log are polynomials after
// range reduction (Cephes' coefficients, about 2 units in the last place); tanh and sigmoid follow from exp.

import { splat } from '../wasm-text.ts';
import type { Expr } from './expr.ts';

/** The expression as a v128 expression over the locals `x0`, `x1` …. */
export function vectorExpr(expr: Expr): string {
  if (typeof expr === 'number') return splat(expr);
  if (typeof expr === 'string') return `(local.get $${expr})`;
  const [a, b, c] = (expr.slice(1) as Expr[]).map(vectorExpr);
  const one = splat(1);
  switch (expr[0]) {
    case 'add':
    case 'sub':
    case 'mul':
    case 'div':
    case 'max':
    case 'min':
      return `(f32x4.${expr[0]} ${a} ${b})`;
    case 'neg':
    case 'abs':
    case 'sqrt':
      return `(f32x4.${expr[0]} ${a})`;
    case 'exp':
    case 'log':
    case 'tanh':
      return `(call $${expr[0]} ${a})`;
    case 'sigmoid':
      return `(f32x4.div ${one} (f32x4.add ${one} (call $exp (f32x4.neg ${a}))))`;
    case 'step':
      return `(v128.and ${one} (f32x4.gt ${a} ${splat(0)}))`;
    case 'select':
      return `(v128.bitselect ${b} ${c} (f32x4.gt ${a} ${splat(0)}))`;
  }
}

const uses = (expr: Expr, op: string): boolean =>
  Array.isArray(expr) && (expr[0] === op || (expr.slice(1) as Expr[]).some(e => uses(e, op)));

/** The functions the expressions call. */
export function vectorFunctions(...exprs: Expr[]): string {
  const calls = (op: string) => exprs.some(expr => uses(expr, op));
  const tanh = calls('tanh');
  return [
    tanh || calls('exp') || calls('sigmoid') ? EXP : '',
    calls('log') ? LOG : '',
    tanh ? TANH : '',
  ].join('\n');
}

const horner = (x: string, coefficients: number[]): string =>
  coefficients
    .slice(1)
    .reduce((sum, c) => `(f32x4.add (f32x4.mul ${sum} ${x}) ${splat(c)})`, splat(coefficients[0]));

const bits = (value: number): string => `(v128.const i32x4 ${new Array(4).fill(value).join(' ')})`;
const local = (name: string): string => `(local.get $${name})`;

// Added to a small number it leaves the nearest integer in the low bits.
const ROUND = 1.5 * 2 ** 23;

// eˣ = 2ⁿ·eʳ with n = round(x / ln 2), |r| ≤ ln 2 / 2. 2ⁿ in two factors, so that results near the ends of the range hold.
const EXP = `(func $exp (param $x v128) (result v128) (local $n v128) (local $r v128) (local $i v128) (local $h v128) (local $c v128)
  (local.set $c (f32x4.min (f32x4.max ${local('x')} ${splat(-104)}) ${splat(89)}))
  (local.set $i (f32x4.add (f32x4.mul ${local('c')} ${splat(Math.LOG2E)}) ${splat(ROUND)}))
  (local.set $n (f32x4.sub ${local('i')} ${splat(ROUND)}))
  (local.set $r (f32x4.sub (f32x4.sub ${local('c')} (f32x4.mul ${local('n')} ${splat(0.693359375)})) (f32x4.mul ${local('n')} ${splat(-2.1219444e-4)})))
  (local.set $i (i32x4.sub ${local('i')} ${bits(0x4b400000)}))
  (local.set $h (i32x4.shr_s ${local('i')} (i32.const 1)))
  (f32x4.mul (f32x4.mul
    (f32x4.add (f32x4.add (f32x4.mul ${horner(local('r'), [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1])} (f32x4.mul ${local('r')} ${local('r')})) ${local('r')}) ${splat(1)})
    (i32x4.shl (i32x4.add ${local('h')} ${bits(127)}) (i32.const 23)))
    (i32x4.shl (i32x4.add (i32x4.sub ${local('i')} ${local('h')}) ${bits(127)}) (i32.const 23))))`;

// log x = e·ln 2 + log m with m in [√½, √2). Zero gives −∞, negative NaN; subnormals are scaled by 2²³ first.
const LOG = `(func $log (param $x v128) (result v128) (local $e v128) (local $m v128) (local $s v128) (local $z v128)
  (local.set $s (f32x4.lt ${local('x')} ${splat(2 ** -126)}))
  (local.set $x (v128.bitselect (f32x4.mul ${local('x')} ${splat(2 ** 23)}) ${local('x')} ${local('s')}))
  (local.set $e (f32x4.convert_i32x4_s (i32x4.sub (i32x4.sub (i32x4.shr_u ${local('x')} (i32.const 23)) ${bits(126)}) (v128.and ${local('s')} ${bits(23)}))))
  (local.set $m (v128.or (v128.and ${local('x')} ${bits(0x7fffff)}) ${bits(0x3f000000)}))
  (local.set $s (f32x4.lt ${local('m')} ${splat(Math.SQRT1_2)}))
  (local.set $e (f32x4.sub ${local('e')} (v128.and ${local('s')} ${splat(1)})))
  (local.set $m (f32x4.sub (f32x4.add ${local('m')} (v128.and ${local('s')} ${local('m')})) ${splat(1)}))
  (local.set $z (f32x4.mul ${local('m')} ${local('m')}))
  (local.set $s (f32x4.add (f32x4.add (f32x4.sub (f32x4.add (f32x4.mul (f32x4.mul ${horner(local('m'), [7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1])} ${local('m')}) ${local('z')}) (f32x4.mul ${local('e')} ${splat(-2.1219444e-4)})) (f32x4.mul ${local('z')} ${splat(0.5)})) ${local('m')}) (f32x4.mul ${local('e')} ${splat(0.693359375)})))
  (local.set $s (v128.bitselect ${local('s')} ${splat(Number.NaN)} (f32x4.gt ${local('x')} ${splat(0)})))
  (local.set $s (v128.bitselect ${local('x')} ${local('s')} (f32x4.eq ${local('x')} ${splat(Number.POSITIVE_INFINITY)})))
  (v128.bitselect ${splat(Number.NEGATIVE_INFINITY)} ${local('s')} (f32x4.eq ${local('x')} ${splat(0)})))`;

// tanh x = 1 − 2/(e²ˣ + 1) away from zero, an odd polynomial near it.
const TANH = `(func $tanh (param $x v128) (result v128) (local $z v128)
  (local.set $z (f32x4.mul ${local('x')} ${local('x')}))
  (v128.bitselect
    (f32x4.add ${local('x')} (f32x4.mul (f32x4.mul ${local('x')} ${local('z')}) ${horner(local('z'), [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1])}))
    (f32x4.sub ${splat(1)} (f32x4.div ${splat(2)} (f32x4.add (call $exp (f32x4.add ${local('x')} ${local('x')})) ${splat(1)})))
    (f32x4.lt (f32x4.abs ${local('x')}) ${splat(0.625)})))`;
