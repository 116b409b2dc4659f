/**
 * The one style sheet of Postern's own pages, inline and allowed by its hash. System fonts, light and
 * dark by the visitor's setting, phone first. No class is used by script.
 */
import { hash } from 'node:crypto';

export const STYLE: string = `
:root{color-scheme:light dark;
--ground:#f3f1ec;--glow:#fbfaf7;--card:#fff;--line:#e0dcd3;--field:#8d887d;--ink:#1e2428;--soft:#5b6168;
--accent:#23594b;--accent-hi:#1a473b;--on-accent:#fff;--tint:#e8f1ed;--warn:#9a2b1f;--warn-tint:#fcecea;--focus:#2f7dd1}
@media (prefers-color-scheme:dark){:root{
--ground:#121518;--glow:#191e22;--card:#1b2024;--line:#2d343a;--field:#7a838b;--ink:#e8eaec;--soft:#a4adb5;
--accent:#86cbb4;--accent-hi:#a0dac6;--on-accent:#0d1f19;--tint:#1d2f2a;--warn:#ff9d90;--warn-tint:#3a1f1c;--focus:#7db6f5}}
*,*::before,*::after{box-sizing:border-box}
[hidden]{display:none!important}
html{-webkit-text-size-adjust:100%}
body{margin:0;min-height:100vh;min-height:100dvh;display:flex;flex-direction:column;align-items:center;
padding:clamp(1.25rem,8vh,6rem) 1rem 1.5rem;color:var(--ink);
background:radial-gradient(60rem 40rem at 50% -8rem,var(--glow),transparent),var(--ground);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Helvetica Neue","Noto Sans CJK SC",sans-serif}
.brand{display:flex;align-items:center;gap:.65rem;margin:0 0 1.25rem;font-weight:600;font-size:1.0625rem;letter-spacing:.01em;color:var(--ink)}
.brand svg{width:1.75rem;height:2.1rem;color:var(--accent);flex:none}
.brand .logo{height:2.25rem;width:auto;max-width:9rem;object-fit:contain;flex:none}
:lang(ko){word-break:keep-all}
main{width:100%;max-width:25.5rem;overflow-wrap:anywhere;background:var(--card);border:1px solid var(--line);border-radius:1rem;
padding:clamp(1.4rem,5vw,2.1rem);box-shadow:0 1px 2px rgb(0 0 0/.04),0 12px 32px -16px rgb(0 0 0/.18)}
main.wide{max-width:60rem}
h1{margin:0 0 .5rem;font-size:1.375rem;line-height:1.3;font-weight:650;letter-spacing:-.012em;text-wrap:balance}
h2{margin:1.9rem 0 .6rem;font-size:1rem;font-weight:650}
p{margin:0 0 .9rem}
p.lead{color:var(--soft);margin-bottom:1.35rem}
main>:last-child,form>:last-child{margin-bottom:0}
strong,.name{font-weight:600}
.soft,.hint{color:var(--soft)}
.hint{font-size:.875rem;margin:.35rem 0 0}
a{color:var(--accent);text-underline-offset:.18em;text-decoration-thickness:.07em}
a:hover{color:var(--accent-hi)}
label{display:block;font-weight:550;font-size:.9375rem;margin:0 0 .35rem}
.field{margin:0 0 1.1rem}
input[type=text],input[type=password]{display:block;width:100%;font:inherit;color:inherit;background:transparent;
border:1px solid var(--field);border-radius:.6rem;padding:.66rem .8rem;min-height:2.9rem}
input[aria-invalid]{border-color:var(--warn)}
button,.button{display:flex;align-items:center;justify-content:center;width:100%;min-height:2.9rem;padding:.6rem 1rem;
font:inherit;font-weight:600;text-align:center;text-decoration:none;border-radius:.6rem;border:1px solid transparent;
background:var(--accent);color:var(--on-accent);cursor:pointer}
button:hover,.button:hover{background:var(--accent-hi);color:var(--on-accent)}
.quiet,.quiet:hover{background:transparent;color:var(--accent);border-color:var(--line)}
.quiet:hover{border-color:var(--accent)}
.plain,.plain:hover{background:transparent;color:var(--accent);text-decoration:underline;text-decoration-thickness:.07em;text-underline-offset:.18em}
.narrow{display:inline-flex;width:auto;padding-inline:1.35rem}
:is(button,.button,form)+:is(button,.button,form){margin-top:.7rem}
:is(button,.button,form)+p:not(.or){margin-top:1rem}
:is(p,ul,.who)+.button{margin-top:1.4rem}
ul.soft{margin:0 0 .9rem;padding-inline-start:1.2rem}ul.soft li+li{margin-top:.3rem}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px}
.note{border-radius:.6rem;padding:.7rem .85rem;margin:0 0 1.2rem;background:var(--tint);font-size:.9375rem}
.note.bad{background:var(--warn-tint);color:var(--warn)}
.who{display:flex;align-items:center;gap:.85rem;margin:0 0 1.35rem;min-width:0}
.who>span:last-child{min-width:0;line-height:1.35}
.who small,.who bdi{display:block}
.who small{line-height:1.3;color:var(--soft);font-size:.875rem}
.who .soft{font-size:.875rem}
h1+:is(.who,.note,form){margin-top:1.1rem}
.status{margin:0 0 .3rem;color:var(--soft);font-weight:600;font-size:.875rem;letter-spacing:.06em}
.badge{flex:none;width:2.75rem;height:2.75rem;border-radius:50%;display:grid;place-items:center;background:var(--tint);color:var(--accent);font-weight:650;font-size:1.125rem}
dl{display:grid;grid-template-columns:minmax(max-content,auto) minmax(0,1fr);gap:.4rem 1.1rem;margin:0 0 1.35rem;font-size:.9375rem}
dt{color:var(--soft)}
dd{margin:0;min-width:0}
summary{cursor:pointer;display:inline-flex;align-items:center;min-height:2.75rem;color:var(--accent);font-weight:550;border-radius:.4rem}
summary::after{content:"";width:.45rem;height:.45rem;margin:-.2rem 0 0 .5rem;border:solid;border-width:0 .12rem .12rem 0;transform:rotate(45deg)}
[open]>summary::after{margin-top:.25rem;transform:rotate(225deg)}
summary::-webkit-details-marker{display:none}
form+details{margin-top:.8rem}details form{margin-top:.6rem}
.or{display:flex;align-items:center;gap:.8rem;margin:1.2rem 0;color:var(--soft)}.or::before,.or::after{content:"";flex:1;border-top:1px solid var(--line)}
ul.choices{list-style:none;margin:0;padding:0}ul.choices li+li{margin-top:.7rem}ul.choices+.button{margin-top:.7rem}
ul.apps{list-style:none;margin:0 0 1.5rem;padding:0;border:1px solid var(--line);border-radius:.75rem}
ul.apps li+li{border-top:1px solid var(--line)}
ul.apps a{display:block;padding:.7rem .9rem;text-decoration:none;font-weight:550;border-radius:.7rem}
ul.apps a:hover{background:var(--tint)}
.tags{display:flex;flex-wrap:wrap;gap:.35rem}
.tag{background:var(--tint);border-radius:.8rem;padding:.05rem .6rem;font-size:.875rem}
code,pre,td,.mono{font-family:ui-monospace,SFMono-Regular,"Cascadia Mono",Menlo,Consolas,"Noto Sans Mono",monospace;font-size:.8438rem}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.75rem}
table{border-collapse:collapse;width:100%}
th,td{padding:.45rem .85rem;text-align:left;vertical-align:top;border-top:1px solid var(--line)}
tr:first-child>*{border-top:0}
th{color:var(--soft);font-weight:500;font-size:.8438rem;white-space:nowrap}
td{min-width:11rem}
.grid{display:grid;gap:0 2.5rem}
@media (min-width:52rem){.grid{grid-template-columns:1fr 1fr}.grid h2:first-child{margin-top:.2rem}}
@media (max-width:30rem){.stack{display:block}.stack tr,.stack th,.stack td{display:block;border-top:0;padding:0 .85rem;white-space:normal;min-width:0}.stack tr{padding:.5rem 0}.stack tr+tr{border-top:1px solid var(--line)}}
ul.factors{list-style:none;margin:0 0 1.5rem;padding:0;border:1px solid var(--line);border-radius:.75rem}
ul.factors li{display:flex;align-items:center;gap:.9rem;padding:.7rem .9rem}ul.factors li+li{border-top:1px solid var(--line)}
ul.factors li>span{flex:1;min-width:0;overflow-wrap:anywhere}ul.factors small{display:block;color:var(--soft);font-size:.8125rem}
ul.factors button{width:auto}
.qr{display:block;width:13rem;height:13rem;margin:0 auto 1rem;border-radius:.75rem}
.secret{display:inline-block;overflow-wrap:anywhere;color:var(--ink)}
.codes{margin:0 0 1.35rem;padding:.75rem 1rem .75rem 2.6rem;border:1px solid var(--line);border-radius:.75rem;line-height:1.9}
form.line{margin-top:.9rem}.row{display:flex;gap:.6rem}.row input{min-width:0}.row button{flex:none;width:auto;margin:0}
#live-log{min-height:7.6rem;margin:0;padding:.75rem .9rem;white-space:pre-wrap}
.dot{display:inline-block;width:.6rem;height:.6rem;border-radius:50%;background:var(--field);margin-right:.5rem}
.dot.on{background:#2ea36f}
footer{margin-top:1.4rem;color:var(--soft);font-size:.8125rem;text-align:center;max-width:32rem;overflow-wrap:anywhere}
@media (forced-colors:active){button,.button{border-color:ButtonText}.badge,.tag{border:1px solid}}
@media print{main{box-shadow:none}}
`;

/** Source expression for `style-src`. */
export const STYLE_SOURCE: string = `'sha256-${hash('sha256', STYLE, 'base64')}'`;
