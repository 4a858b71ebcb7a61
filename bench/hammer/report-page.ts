import type { Report } from './report.ts';
import { drawReport, type Plot } from './report-plots.ts';
import { number } from './screen.ts';

/** The report as one page that needs nothing else: no script, no font, no request. */
export async function reportPage(report: Report): Promise<string> {
  return page(report, await drawReport(report));
}

function page(report: Report, plots: readonly Plot[]): string {
  const { verdict, settings, node } = report;
  const title = `Hammer: ${verdict.ok ? 'passed' : 'failed'}, ${number(verdict.acknowledged)} acknowledged`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header class="${verdict.ok ? 'good' : 'bad'}">
<h1>${verdict.ok ? 'Passed' : 'Failed'}</h1>
<p>${number(verdict.acknowledged)} acknowledged, ${number(verdict.failed_proofs)} failed proofs, ${number(verdict.lost)} lost</p>
${verdict.reasons.length > 0 ? `<ul>${verdict.reasons.map((reason) => `<li>${escaped(reason)}</li>`).join('')}</ul>` : ''}
</header>
<p class="about">${escaped(settings.url)}, ${escaped(`${node.name} ${node.version}`)}, ${escaped(report.started.replace('T', ' ').slice(0, 19))} UTC,
${number(Math.round(report.load_seconds))} s of load</p>
${figures(report)}
${plots.map(plot).join('\n')}
${marks(report)}
${findings(report)}
<h2>What was read back</h2>
${readBack(report)}
<h2>Settings</h2>
${table([
  ...Object.entries({ ...settings, content: `${settings.content.min}–${settings.content.max}` }),
  ...Object.entries(report.goals).map(([name, goal]) => [`goal ${name}`, goal ?? 'none'] as const),
  ['crypto', report.crypto],
])}
<h2>The node</h2>
${table(Object.entries(node).map(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)]))}
</body>
</html>
`;
}

function figures({ rate, latency, longest_gap, totals, settings, cpu_us_per_commit }: Report): string {
  const attempts = Object.values(totals.errors).reduce((a, b) => a + b, 0);
  const all: [string, string, string][] = [
    [number(Math.round(rate)), 'acknowledged per second', `of ${number(settings.rate)} asked for`],
    [ms(latency.p50_ms), 'median', 'from the intended send time'],
    [ms(latency.p99_ms), '99 %', ''],
    [ms(latency.p999_ms), '99.9 %', ''],
    [ms(latency.max_ms), 'slowest commit', ''],
    [ms(longest_gap.ms), 'longest gap', 'without any acknowledgement'],
    [number(attempts), 'failed attempts', 'repeated until answered'],
    [number(Object.values(totals.reads).reduce((a, b) => a + b, 0)), 'reads proved', 'during the load'],
    [`${cpu_us_per_commit} µs`, 'CPU of the hammer', 'per commit'],
  ];
  return `<div class="figures">${all
    .map(([value, what, more]) => `<div><b>${value}</b><span>${what}</span><small>${more}</small></div>`)
    .join('')}</div>`;
}

function plot({ title, note, wide, narrow }: Plot): string {
  return `<figure><figcaption><b>${title}</b> ${note}</figcaption><div class="wide">${wide}</div><div class="narrow">${narrow}</div></figure>`;
}

function marks({ marks, started }: Report): string {
  if (marks.length === 0) return '';
  const rows = marks.map(
    ({ at, label, gap_ms, slowest_ms, errors }, i) =>
      `<tr><td>${i + 1}</td><td>${((at - Date.parse(started)) / 1000).toFixed(1)} s</td><td class="text">${escaped(label)}</td><td>${ms(gap_ms)}</td><td>${ms(slowest_ms)}</td><td>${number(errors)}</td></tr>`,
  );
  return `<h2>Marks</h2>
<div class="scroll"><table class="rows"><thead><tr><th></th><th>at</th><th class="text">what</th><th>without success</th><th>slowest commit</th><th>failed attempts</th></tr></thead>
<tbody>${rows.join('')}</tbody></table></div>`;
}

function findings({ findings, verdict }: Report): string {
  if (findings.length === 0) return '';
  const items = findings.map(
    ({ kind, at, enclave, what, evidence }) =>
      `<details><summary><b>${kind}</b> ${escaped(what)}</summary><p>${new Date(at).toISOString()}, enclave <code>${enclave}</code></p>${evidence === undefined ? '' : `<pre>${escaped(evidence)}</pre>`}</details>`,
  );
  return `<h2>Findings</h2>${verdict.ok ? '' : '<p>The first of each kind:</p>'}${items.join('\n')}`;
}

function readBack({ totals }: Report): string {
  const { read_back: back, reads, errors, read_errors } = totals;
  return table([
    ['enclaves, from their first event', number(back.enclaves)],
    ['events, each with hashes, both signatures and its place', number(back.events)],
    ['bundles, each with root and state', number(back.bundles)],
    ['states, proved to hold what the events say', number(back.states)],
    ['tree heads of the run that the last one continues', number(back.heads)],
    ...Object.entries(reads).map(([kind, n]) => [`reads during the load: ${kind}`, number(n)] as const),
    ...Object.entries(errors).map(([code, n]) => [`failed attempts: ${code}`, number(n)] as const),
    ...Object.entries(read_errors).map(([code, n]) => [`failed reads: ${code}`, number(n)] as const),
    ['offered', number(totals.offered)],
    ['shed', number(totals.shed)],
    ['expired', number(totals.expired)],
    ['undecided', number(totals.undecided)],
  ]);
}

function table(rows: readonly (readonly [string, unknown])[]): string {
  const row = ([name, value]: readonly [string, unknown]): string => {
    const text = String(value);
    return `<tr><th>${escaped(name)}</th><td${text.length > 24 ? ' class="long"' : ''}>${escaped(text)}</td></tr>`;
  };
  return `<div class="scroll"><table><tbody>${rows.map(row).join('')}</tbody></table></div>`;
}

const ms = (value: number): string =>
  value >= 10_000
    ? `${number(Math.round(value / 100) / 10)} s`
    : `${value >= 100 ? number(Math.round(value)) : Number(value.toPrecision(2))} ms`;

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const STYLE = `
:root{--ink:#1d2129;--soft:#5c6370;--line:#d8dbe0;--paper:#fff;--card:#f5f6f8;--good:#1b7f4d;--bad:#b3263c}
@media (prefers-color-scheme:dark){:root{--ink:#e4e6ea;--soft:#9aa1ad;--line:#3a3f48;--paper:#16181c;--card:#1f2228;--good:#4cc38a;--bad:#ff7b8e}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:1rem;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1,h2{line-height:1.2;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}
header{border-left:.4rem solid var(--good);padding:.2rem 1rem}header h1{color:var(--good)}
header.bad{border-color:var(--bad)}header.bad h1{color:var(--bad)}
header p,header ul{margin:.2rem 0;padding-left:0;list-style-position:inside}
.about{color:var(--soft);overflow-wrap:anywhere}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr));gap:.6rem;margin:1rem 0}
.figures div{background:var(--card);border-radius:.4rem;padding:.5rem .7rem}
.figures b{display:block;font-size:1.25rem;font-variant-numeric:tabular-nums}
.figures span,.figures small{display:block;line-height:1.3}.figures small{color:var(--soft)}
figure{margin:1.5rem 0}figcaption{color:var(--soft)}figcaption b{color:var(--ink)}
figure svg{width:100%;height:auto;display:block;overflow:visible}
figure svg text{fill:var(--ink)}figure svg .role-axis-title text{fill:var(--soft)}
figure svg .role-axis-grid line{stroke:var(--line)}figure svg .role-axis-tick line,figure svg .role-axis-domain line{stroke:var(--soft)}
.narrow{display:none}@media (max-width:40rem){.wide{display:none}.narrow{display:block}}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
td.long{overflow-wrap:anywhere;min-width:12rem}.rows td,.rows th{white-space:nowrap}
th{font-weight:400;color:var(--soft)}.rows td,.rows th{text-align:right}.rows .text{text-align:left}
details{border-bottom:1px solid var(--line);padding:.3rem 0}summary{cursor:pointer;overflow-wrap:anywhere}
pre{background:var(--card);padding:.6rem;white-space:pre-wrap;overflow-wrap:anywhere;font-size:12px}code{overflow-wrap:anywhere}
`;
