#!/usr/bin/env node
// Opens pages of reports in headless Chromium and inspects them as users see them.
//
//   node --experimental-websocket tests/look_at_report.mjs FOLDER [NAME|URL...]
//
// FOLDER contains NAME.html (all of them without a NAME). A URL is that of a live page: it may send requests to its own
// server, has to be updated more than once, and its pictures are named `live`. For each page: there are no network
// requests, the console stays empty, nothing is wider than a phone of 320 px, every chart has a title, a description
// and a table, axe-core (AXE=path of axe.min.js; without it this check is skipped with a message) finds nothing in
// light and dark, and it can be printed. Pictures NAME.{light,dark,phone,print}.* are written beside it.
//
// CHROMIUM names the browser. Exit code 0: no problems; 1: problems, one per line; 3: there is no browser.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const PATIENCE_MS = 60_000;

class Browser {
  constructor(child, socket, profile) {
    Object.assign(this, { child, socket, profile, next: 1, open: new Map(), events: [] });
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      const waiting = this.open.get(message.id);
      if (!waiting) return void this.events.push(message);
      this.open.delete(message.id);
      message.error ? waiting.reject(new Error(message.error.message)) : waiting.resolve(message.result);
    };
  }

  static async start(program) {
    const profile = mkdtempSync(join(tmpdir(), 'look-'));
    const child = spawn(program, ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
      '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--hide-scrollbars', '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'],
    { stdio: ['ignore', 'ignore', 'pipe'] });
    const address = await new Promise((resolve, reject) => {
      let said = '';
      child.stderr.on('data', (bytes) => {
        said += bytes;
        const found = said.match(/DevTools listening on (ws:\S+)/);
        if (found) resolve(found[1]);
      });
      child.on('exit', () => reject(new Error(`the browser ended: ${said}`)));
      setTimeout(() => reject(new Error('the browser did not start')), PATIENCE_MS).unref();
    });
    const socket = new WebSocket(address);
    await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; });
    return new Browser(child, socket, profile);
  }

  send(method, params = {}, sessionId = undefined) {
    const id = this.next++;
    this.socket.send(JSON.stringify({ id, method, params, sessionId }));
    return new Promise((resolve, reject) => {
      this.open.set(id, { resolve, reject });
      setTimeout(() => reject(new Error(`${method}: no answer within ${PATIENCE_MS / 1000} s`)), PATIENCE_MS).unref();
    });
  }

  async page() {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const send = (method, params) => this.send(method, params, sessionId);
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await send(`${domain}.enable`);
    const evaluate = async (expression) => {
      const { result, exceptionDetails } =
        await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return result.value;
    };
    const close = () => this.send('Target.closeTarget', { targetId });
    return { send, evaluate, close, sessionId };
  }

  async end() {
    const gone = new Promise((resolve) => this.child.on('exit', resolve));
    setTimeout(() => this.child.kill('SIGKILL'), 5000).unref();
    await this.send('Browser.close').catch(() => {});
    await gone;
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

const widen = (page, width, height, mobile) => page.send('Emulation.setDeviceMetricsOverride',
  { width, height, deviceScaleFactor: 1, mobile });
const theme = (page, scheme) => page.send('Emulation.setEmulatedMedia',
  { features: [{ name: 'prefers-color-scheme', value: scheme }] });

async function picture(page, file) {
  const { data } = await page.send('Page.captureScreenshot', { captureBeyondViewport: true, format: 'png' });
  writeFileSync(file, Buffer.from(data, 'base64'));
}

async function axe(page, source, scheme) {
  await page.evaluate(source);
  const found = await page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations.map(({ id, impact, nodes }) => id + ' (' + impact + ', ' + nodes.length + ' times): '
      + nodes[0].html.slice(0, 160) + ' ' + (nodes[0].any[0]?.message ?? '')))`);
  return found.map((fault) => `${scheme}: axe: ${fault}`);
}

const MEASURES = `(() => {
  const faults = [];
  for (const svg of document.querySelectorAll('.chart .plot > svg')) {
    const name = svg.querySelector('title')?.textContent;
    if (!name || !svg.querySelector('desc')?.textContent) faults.push('a chart has no title or description');
  }
  for (const cell of document.querySelectorAll('th:not([scope])')) faults.push('no scope: ' + cell.textContent);
  for (const lacking of ['header', 'main', 'h1'].filter((name) => document.querySelectorAll(name).length !== 1))
    faults.push('not exactly one ' + lacking);
  return faults;
})()`;

const TOO_WIDE = `(() => {
  const width = document.documentElement.clientWidth;
  const wide = document.documentElement.scrollWidth > width;
  const inBox = (element) => element.closest('.scroll, svg, .bands');
  const culprits = [...document.body.querySelectorAll('*')].filter((element) =>
    !inBox(element) && element.getBoundingClientRect().right > width + 1).slice(0, 5);
  return wide ? [width + ' px wide: ' + culprits.map((e) => e.outerHTML.slice(0, 90)).join(' | ')] : [];
})()`;

// The number of changes of a live page's parts: each change comes from an event of the server.
const CHANGES = `new Promise((done) => {
  let changes = 0;
  new MutationObserver(() => { changes += 1; if (changes > 3) done(changes); })
    .observe(document.body, { childList: true, subtree: true, characterData: true });
  setTimeout(() => done(changes), 20000);
})`;

async function faultsOf(browser, folder, name, axeSource) {
  const page = await browser.page();
  const live = name.startsWith('http://');
  const path = (end) => join(folder, `${live ? 'live' : name}.${end}`);
  await widen(page, 1280, 1000, false);
  await theme(page, 'light');
  const url = live ? name : pathToFileURL(path('html')).href;
  const own = (asked) => asked === url || asked.startsWith('data:') || (live && asked.startsWith(new URL(url).origin + '/'));
  await page.send('Page.navigate', { url });
  await page.evaluate(`new Promise((done) => document.readyState === 'complete' ? done() : addEventListener('load', done))`);
  const changes = live ? await page.evaluate(CHANGES) : 0;
  const faults = await page.evaluate(MEASURES);
  if (live && changes < 2) faults.push('the page does not follow the run');
  await picture(page, path('light.png'));
  if (axeSource) faults.push(...await axe(page, axeSource, 'light'));
  await theme(page, 'dark');
  await picture(page, path('dark.png'));
  if (axeSource) faults.push(...await axe(page, axeSource, 'dark'));
  await theme(page, 'light');
  await widen(page, 320, 640, true);
  faults.push(...await page.evaluate(TOO_WIDE));
  await picture(page, path('phone.png'));
  await widen(page, 1280, 1000, false);
  const { data } = await page.send('Page.printToPDF', { printBackground: true, preferCSSPageSize: true });
  const pdf = Buffer.from(data, 'base64');
  writeFileSync(path('print.pdf'), pdf);
  if (!pdf.subarray(0, 5).equals(Buffer.from('%PDF-'))) faults.push('it cannot be printed');
  for (const { method, params, sessionId } of browser.events.splice(0)) {
    if (sessionId !== page.sessionId) continue;
    if (method === 'Network.requestWillBeSent' && !own(params.request.url))
      faults.push(`asks the network for ${params.request.url}`);
    if (method === 'Runtime.exceptionThrown') faults.push(`error: ${params.exceptionDetails.text}`);
    if (method === 'Runtime.consoleAPICalled') faults.push(`console: ${JSON.stringify(params.args)}`);
    if (method === 'Log.entryAdded') faults.push(`log: ${params.entry.text}`);
  }
  await page.close();
  return faults;
}

const [folder, ...named] = process.argv.slice(2);
if (!folder) {
  console.error('node --experimental-websocket tests/look_at_report.mjs FOLDER [NAME|URL...]');
  process.exit(2);
}
const program = process.env.CHROMIUM ?? BROWSERS.find(existsSync);
if (!program) {
  console.error('report pages: there is no Chromium; Debian\'s package is chromium');
  process.exit(3);
}
const names = named.length ? named
  : readdirSync(folder).filter((file) => file.endsWith('.html')).map((file) => basename(file, '.html'));
const axeSource = process.env.AXE ? readFileSync(process.env.AXE, 'utf8') : '';
if (!axeSource) console.error('report pages: AXE is not set, axe-core is skipped');
if (!names.length) throw new Error(`no page in ${folder}`);
const browser = await Browser.start(program);
let total = 0;
for (const name of names) {
  const found = await faultsOf(browser, resolve(folder), name, axeSource).catch(({ message }) => [message]);
  for (const fault of found) {
    console.error(`report pages: ${name}: ${fault}`);
    total += 1;
  }
}
await browser.end();
console.log(`report pages: ${names.length} checked, ${total} problems; pictures are in ${folder}`);
process.exit(total ? 1 : 0);
