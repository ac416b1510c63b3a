"""The page's style sheet: system fonts, no network, dark mode, phone width."""

CSS = """
:root{--ink:#1b1f24;--soft:#5c6670;--line:#d9dee3;--paper:#fff;--card:#f6f8fa;--hole:#0072b2;--electron:#d55e00;
 --warn:#8a4b00;--warnbg:#fff4e0;--good:#00684a}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#a3adb7;--line:#3a424a;--paper:#15181b;--card:#1e2226;
 --hole:#56b4e9;--electron:#f0965a;--warn:#ffcf8a;--warnbg:#3a2b10;--good:#5fd3a8}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:1.2rem 1rem 3rem;background:var(--paper);color:var(--ink);
 font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;overflow-wrap:break-word}
h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem;
 border-bottom:1px solid var(--line)}
h3{font-size:1rem;margin:1.2rem 0 .3rem}p{margin:.4rem 0}
.soft,figcaption,caption,.notes{color:var(--soft);font-size:.85rem}
.warnings{background:var(--warnbg);color:var(--warn);
 border-left:4px solid currentColor;padding:.6rem 1rem;margin:1rem 0}
.warnings ul{margin:.2rem 0;padding-left:1.2rem}
.scroll{overflow-x:auto;max-height:34rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem}
caption{text-align:left;padding-bottom:.2rem}
th,td{padding:.22rem .7rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0}
thead th{position:sticky;top:0;background:var(--paper);font-weight:600}
td.text{text-align:left;white-space:normal;overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.6rem;margin:.8rem 0}
.tiles div{background:var(--card);border-radius:.4rem;padding:.5rem .8rem}
.tiles b{display:block;font-size:1.25rem;font-weight:600}
.pictures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:1rem}
figure{margin:.8rem 0}img{max-width:100%;height:auto;background:#fff;border-radius:.3rem}
.bar{display:inline-block;height:.7rem;border-radius:.1rem;vertical-align:middle}
.bars{table-layout:fixed;width:100%;max-width:40rem}.bars th,.bars td{text-align:left;white-space:normal}
.bars td:first-child{width:30%}
.bars span.n{display:inline-block;width:3.2em;text-align:right;margin-right:.4em}
.levels img{max-width:min(100%,26rem)}
.hole{background:var(--hole)}.electron{background:var(--electron)}
.good{color:var(--good)}.bad{color:var(--warn)}
details{margin:.6rem 0}summary{cursor:pointer}pre{overflow-x:auto;font-size:.8rem}
@media(max-width:34rem){
 body{padding:.8rem .8rem 2rem}th,td{padding:.2rem .25rem}table{font-size:.74rem}}
@media print{.scroll{max-height:none}}
"""
