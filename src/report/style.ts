// The report's style sheet: light and dark by the reader's preference, readable on a phone and on paper. Colours are
// variables; drawings use the same ones, so nothing is drawn twice.

export const style = `
:root{color-scheme:light dark;
--paper:#fff;--panel:#f6f7f9;--ink:#1b1f24;--soft:#57606a;--rule:#d5dae0;--grid:#e6e9ed;--accent:#0b5cad;
--c0:#0b62a8;--c1:#c8500a;--c2:#0f7a4f;--c3:#a3318f;--c4:#8a6100;--c5:#c1272d;--c6:#4a5568;--c7:#00717d;
--a0:#e5484d;--a1:#30a46c;--a2:#4a90ff}
@media (prefers-color-scheme:dark){:root{
--paper:#14171b;--panel:#1d2127;--ink:#e6e9ed;--soft:#9da7b3;--rule:#363d46;--grid:#2a3038;--accent:#7ab8ff;
--c0:#6cb2f5;--c1:#ff9e57;--c2:#5fd39b;--c3:#e58bd6;--c4:#e0b74a;--c5:#ff7b7b;--c6:#b6c2d1;--c7:#4fd1e0}}
*{box-sizing:border-box}
html{font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Liberation Sans",Arial,sans-serif;background:var(--paper);color:var(--ink);-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:72rem;padding:2rem clamp(1rem,4vw,2.5rem) 4rem}
h1,h2{line-height:1.2;text-wrap:balance;overflow-wrap:anywhere}
h1{font-size:2rem;margin:0 0 1rem;letter-spacing:-.015em}
h2{font-size:1.35rem;margin:0 0 1rem;letter-spacing:-.01em}
p{margin:0;max-width:72ch;overflow-wrap:anywhere}
a{color:var(--accent)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:2px}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.skip{position:absolute;left:-100vw;top:.5rem;background:var(--paper);padding:.5rem 1rem;z-index:9}
.skip:focus{left:.5rem}
.meta{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.2rem 1.25rem;margin:0;font-size:.92rem}
.meta dt{color:var(--soft)}
.meta dd{margin:0;overflow-wrap:anywhere;white-space:pre-wrap;font-variant-numeric:tabular-nums}
nav ol{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;margin:1.5rem 0 0;padding:0;font-size:.95rem}
section{border-top:1px solid var(--rule);margin-top:2.25rem;padding-top:1.75rem}
.text{white-space:pre-line}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .9rem .35rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--grid)}
th:last-child,td:last-child{padding-right:.25rem}
thead th{border-bottom:1px solid var(--soft);font-weight:600;white-space:nowrap}
tbody th{font-weight:400}
.number{text-align:right;white-space:nowrap}
td small{color:var(--soft);font-size:.85em}
figure{margin:0;min-width:0}
section>*+*{margin-top:1.5rem}
section>p+p,section>.fields+.window{margin-top:.75rem}
figcaption{font-weight:600;margin-bottom:.5rem;overflow-wrap:anywhere}
.facts,.source{display:block;font-weight:400;font-size:.85rem;color:var(--soft);line-height:1.4}
.note,.window,.readout,.place{max-width:95ch;font-size:.85rem;color:var(--soft);margin:.5rem 0 0;line-height:1.45}
.place{font-variant-numeric:tabular-nums}
.bar{display:inline-block;width:6rem;height:.7em;border-radius:2px;vertical-align:-.02em;print-color-adjust:exact;-webkit-print-color-adjust:exact}
.drawing{display:block;width:100%;height:auto;min-width:20rem;overflow:hidden}
.drawing text{fill:var(--ink);font-size:12.5px;font-variant-numeric:tabular-nums}
.drawing .tick{fill:var(--soft)}
.drawing .label{fill:var(--soft)}
.drawing .lane{font-weight:600;paint-order:stroke;stroke:var(--paper);stroke-width:3px}
.drawing .middle{text-anchor:middle}
.drawing .end{text-anchor:end}
.grid{stroke:var(--grid)}
.grid.minor{opacity:.55}
.axis{stroke:var(--soft)}
.frame{fill:none;stroke:var(--rule)}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.line.signal{stroke:var(--c0);stroke-width:1.2}
.hit{fill:none;stroke:transparent;stroke-width:12;pointer-events:stroke}
.curve:hover .line{stroke-width:3}
.c0{stroke:var(--c0)}.c1{stroke:var(--c1)}.c2{stroke:var(--c2)}.c3{stroke:var(--c3)}
.c4{stroke:var(--c4)}.c5{stroke:var(--c5)}.c6{stroke:var(--c6)}.c7{stroke:var(--c7)}
.dash0{stroke-dasharray:2 4}.dash1{stroke-dasharray:7 4}.dash2{stroke-dasharray:9 4 2 4}
.area{stroke:none;opacity:.16}
.f0{fill:var(--c0)}.f1{fill:var(--c1)}.f2{fill:var(--c2)}.f3{fill:var(--c3)}
.f4{fill:var(--c4)}.f5{fill:var(--c5)}.f6{fill:var(--c6)}.f7{fill:var(--c7)}
.mark{stroke:var(--soft);stroke-dasharray:4 3}
.equal{stroke:var(--rule)}
.plot{display:inline-block;vertical-align:top;width:min(100%,31.5rem);margin:1.5rem 1.5rem 0 0}
.plot .drawing{min-width:0}
.plot details{font-size:.92rem;margin-top:.5rem}
.guide{stroke:var(--soft);stroke-dasharray:3 3;visibility:hidden}
.guide.shown{visibility:visible}
.cursor{stroke:#fff;stroke-width:1.5;visibility:hidden;mix-blend-mode:difference}
.cursor.shown{visibility:visible}
svg[data-time]{cursor:pointer}
.curves .drawing,.alone .drawing:not([style]){min-width:40rem}
.curves details{font-size:.92rem;margin-top:.5rem}
summary{cursor:pointer;color:var(--soft);font-size:.85rem}
.legend{display:flex;flex-wrap:wrap;gap:.15rem 1.25rem;list-style:none;margin:0 0 .5rem;padding:0;font-size:.9rem}
.swatch{width:1.75rem;height:.5rem;margin-right:.45rem;vertical-align:.1em}
.readout{min-height:1.45em;font-variant-numeric:tabular-nums;color:var(--ink)}
.fields{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,21rem),1fr));gap:1.5rem}
.fields.small{grid-template-columns:repeat(auto-fill,minmax(min(100%,10rem),1fr))}
.fields.alone{grid-template-columns:minmax(0,1fr)}
.field.image img{display:block;max-width:100%;height:auto;background:repeating-conic-gradient(#8884 0 25%,#0000 0 50%) 0 0/16px 16px}
.sharp{image-rendering:pixelated}
audio{display:block;width:100%;margin-bottom:.5rem}
.viewer+.viewer{margin-top:1rem}
.planes{display:flex;flex-direction:column;gap:.9rem}
.alone .planes{flex-direction:row;align-items:flex-start}
.plane{width:var(--share);min-width:0}
.alone .plane{width:auto;flex:var(--mm) 1 0}
.plane-title{display:flex;flex-wrap:wrap;align-items:baseline;gap:0 .45rem;font-size:.85rem;margin:0 0 .25rem}
.slice-number{color:var(--soft);font-variant-numeric:tabular-nums}
.key{width:.6rem;height:.6rem;border-radius:50%;background:currentColor}
.a0{color:var(--a0)}.a1{color:var(--a1)}.a2{color:var(--a2)}
.plane-picture{position:relative;background:#000;overflow:hidden;min-height:1px;print-color-adjust:exact;-webkit-print-color-adjust:exact}
.js .plane-picture{cursor:crosshair}
.plane-picture img,.plane-picture canvas{position:absolute;inset:0;width:100%;height:100%}
.plane-picture [hidden]{display:none}
.cross{position:absolute;background:currentColor;opacity:.75;pointer-events:none}
.cross.down{top:0;bottom:0;width:1px;margin-left:-.5px}
.cross.across{left:0;right:0;height:1px;margin-top:-.5px}
.edge{position:absolute;color:#fff;font-size:.8rem;line-height:1;text-shadow:0 0 3px #000,0 0 3px #000,0 0 2px #000;pointer-events:none}
.edge.left{left:.35rem;top:50%;transform:translateY(-120%)}.edge.right{right:.35rem;top:50%;transform:translateY(-120%)}
.edge.top{top:.35rem;left:50%;transform:translateX(80%)}.edge.bottom{bottom:.35rem;left:50%;transform:translateX(80%)}
.pager{display:none;width:100%;margin:.35rem 0 0;accent-color:var(--accent)}
.js .pager{display:block}
@media (max-width:44rem){.alone .planes{flex-direction:column}.alone .plane{width:var(--share);flex:none}}
@media print{
:root{color-scheme:light;--paper:#fff;--panel:#fff;--ink:#000;--soft:#444;--rule:#bbb;--grid:#ddd;
--c0:#0b62a8;--c1:#c8500a;--c2:#0f7a4f;--c3:#a3318f;--c4:#8a6100;--c5:#c1272d;--c6:#4a5568;--c7:#00717d}
html{font-size:10.5pt}
body{max-width:none;padding:0}
nav,.skip,audio,.js .pager,.readout,details:not([open]){display:none}
figure,table,.plane{break-inside:avoid}
h2{break-after:avoid}
.scroll{overflow:visible}
.drawing,.curves .drawing,.alone .drawing:not([style]){min-width:0}
section{margin-top:1.25rem;padding-top:1rem}
}
`.trim();
