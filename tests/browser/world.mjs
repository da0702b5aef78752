// Everything that the walk needs and a machine can really have: HAProxy with five servers and customers,
// Prometheus, Alertmanager, Afterload itself and a browser. All on loopback, all in one temporary folder;
// only processes that were started here are stopped, by their process id.
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

const run = promisify(execFile);
const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, '../..');
const target = process.env.CARGO_TARGET_DIR ?? path.join(root, 'target');
export const binary = process.env.AFTERLOAD_BINARY ?? path.join(target, 'debug/afterload');
export const screenshots = path.join(root, 'target/screenshots');

/** Secrets of the balancer's config: none of them may ever be seen outside that file. */
export const SECRETS = ['stats-Passw0rd-7c1f', 'userlist-Passw0rd-93ab', 'header-Token-5d20'];
export const PASSWORD = 'four walls and a roof';

/** How long a busy machine may take, in seconds; nothing is held to be wrong before. */
const PATIENCE = 90;

/** Asks again and again until `ask` gives something true; what it said last stands in the error. */
export async function until(what, ask, seconds = PATIENCE) {
  const end = Date.now() + seconds * 1000;
  let last;
  for (;;) {
    try {
      const answer = await ask();
      if (answer) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${seconds} s in vain for: ${what}${last ? ` (${last.message})` : ''}`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function answers(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
  return response.ok;
}

/** One command of Afterload; its standard output. */
export async function afterload(...args) {
  const { DATABASE_URL, ...env } = process.env;
  const { stdout } = await run(binary, args, { env, maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** A program of the world: its output goes to a file and to `text`. */
class Program {
  constructor(folder, name, command, args, options = {}) {
    this.name = name;
    this.text = '';
    this.log = fs.createWriteStream(path.join(folder, `${name}.log`), { flags: 'a' });
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.on('data', (data) => {
        this.text = (this.text + data).slice(-200_000);
        this.log.write(data);
      });
    }
    this.ended = new Promise((resolve) => {
      this.child.on('error', (error) => {
        this.text += `${error}\n`;
        this.gone = true;
        resolve(error);
      });
      this.child.on('exit', (code, signal) => {
        this.gone = true;
        resolve(code ?? signal);
      });
    });
  }

  /** Waits until the program says something, or says why it cannot. */
  async says(pattern, seconds = PATIENCE) {
    return until(`${this.name} to say ${pattern}`, () => {
      const found = this.text.match(pattern);
      if (!found && this.gone) throw new Error(`${this.name} ended: ${this.text.slice(-2000)}`);
      return found;
    }, seconds);
  }

  async stop(signal = 'SIGTERM') {
    if (!this.gone) {
      this.child.kill(signal);
      const late = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE * 1000);
      await this.ended;
      clearTimeout(late);
    }
    this.log.end();
  }
}

export class World {
  static async make() {
    const world = new World();
    world.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'afterload-walk-'));
    world.data = path.join(world.folder, 'data');
    world.programs = [];
    world.port = await freePort();
    return world;
  }

  path(name) {
    return path.join(this.folder, name);
  }

  write(name, text) {
    fs.writeFileSync(this.path(name), text);
    return this.path(name);
  }

  start(name, command, args, options) {
    const program = new Program(this.folder, name, command, args, options);
    this.programs.push(program);
    return program;
  }

  // --- Afterload ---

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts the server on the folder `data`, empty the first time; gives back its program. */
  async serve() {
    if (!fs.existsSync(binary)) throw new Error(`${binary} is not there: build it first with "cargo build --locked"`);
    const args = ['serve', '--data', this.data, '--listen', `127.0.0.1:${this.port}`];
    const { DATABASE_URL, ...env } = process.env;
    this.server = this.start('afterload', binary, args, { env });
    await this.server.says(/Afterload \S+ is at (\S+)/);
    await until('the server to answer', () => fetch(`${this.url}/login`, { signal: AbortSignal.timeout(5000) }));
    return this.server;
  }

  /** Starts the demo instead, on its own folder and port; gives back the link that signs in. */
  async demo() {
    const { DATABASE_URL, ...env } = process.env;
    this.server = this.start('demo', binary, ['demo'], { env: { ...env, TMPDIR: this.folder } });
    const [link, port] = await this.server.says(/http:\/\/127\.0\.0\.1:(\d+)\/\S+/, 180);
    this.port = Number(port);
    return link;
  }

  async restart(signal = 'SIGTERM') {
    await this.server.stop(signal);
    return this.serve();
  }

  /** One command of Afterload on the same data; its standard output. */
  async command(...args) {
    return afterload(...args, '--data', this.data);
  }

  // --- the balancer, its servers, its customers ---

  async startBalancer() {
    const [front, stats, ...servers] = await Promise.all(Array.from({ length: 7 }, freePort));
    this.front = front;
    this.stats = stats;
    this.socket = this.path('haproxy.sock');
    const lines = servers.map((port, n) => `    server web${n + 1} 127.0.0.1:${port} weight 100 check inter 2s`);
    this.config = this.write(
      'haproxy.cfg',
      `global
    stats socket ${this.socket} mode 600 level admin
    maxconn 2000

defaults
    mode http
    retries 0
    timeout connect 10s
    timeout check 10s
    timeout client 30s
    timeout server 30s
    timeout queue 10s

userlist operators
    user mk insecure-password ${SECRETS[1]}

frontend shop
    bind 127.0.0.1:${front}
    default_backend web

backend web
    balance roundrobin
    http-request set-header Authorization "Bearer ${SECRETS[2]}"
${lines.join('\n')}

frontend numbers
    bind 127.0.0.1:${stats}
    http-request use-service prometheus-exporter if { path /metrics }
    stats enable
    stats uri /stats
    stats auth recorder:${SECRETS[0]}
`,
    );
    const shop = this.start('shop', process.execPath, [path.join(here, 'shop.mjs'), front, ...servers].map(String));
    await shop.says(/the shop listens/);
    this.haproxy = this.start('haproxy', 'haproxy', ['-db', '-f', this.config]);
    await until('HAProxy to answer', () => {
      if (this.haproxy.gone) throw new Error(this.haproxy.text);
      return answers(`http://127.0.0.1:${stats}/metrics`);
    });
  }

  /** Sends one command through HAProxy's runtime socket. */
  runtime(command) {
    return new Promise((resolve, reject) => {
      let text = '';
      const socket = net.connect(this.socket, () => socket.end(`${command}\n`));
      socket.on('data', (data) => {
        text += data;
      });
      socket.on('error', reject);
      socket.on('close', () => (/^(No such|Unknown|Permission|Invalid)/m.test(text) ? reject(new Error(text)) : resolve(text)));
    });
  }

  async weights(weight, ...servers) {
    for (const server of servers) await this.runtime(`set weight web/${server} ${weight}`);
  }

  // --- Prometheus and Alertmanager ---

  /** Both with intervals of seconds; the alerts go to `hook`, an address of Afterload. */
  async startMonitoring(hook) {
    const [prometheus, alertmanager] = await Promise.all([freePort(), freePort()]);
    const amConfig = this.write(
      'alertmanager.yml',
      `route:
  receiver: afterload
  group_by: [cluster]
  group_wait: 1s
  group_interval: 2s
  repeat_interval: 5s
receivers:
  - name: afterload
    webhook_configs:
      - url: ${hook}
        send_resolved: true
`,
    );
    const ratio = (range) => `sum by (proxy) (rate(haproxy_backend_http_responses_total{proxy="web",code="5xx"}[${range}]))
            / sum by (proxy) (rate(haproxy_backend_http_responses_total{proxy="web"}[${range}]))`;
    this.write(
      'rules.yml',
      `groups:
  - name: shop
    interval: 1s
    rules:
      - alert: ShopErrors
        expr: |
          ${ratio('6s')} > 0.05
        for: 0s
        labels: { severity: critical, cluster: shop, service: shop }
        annotations:
          summary: More than 5 % of the shop's answers are errors
          description: 'Now {{ $value | humanizePercentage }} <script>window.pwned = 1</script>'
      - alert: ShopOneSided
        expr: |
          max by (proxy) (rate(haproxy_server_http_responses_total{proxy="web",code="2xx"}[6s]))
            > 0.9 * sum by (proxy) (rate(haproxy_server_http_responses_total{proxy="web",code="2xx"}[6s]))
        for: 0s
        labels: { severity: warning, cluster: shop, service: shop }
        annotations: { summary: One server answers more than 90 % of all requests }
`,
    );
    const config = this.write(
      'prometheus.yml',
      `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [${this.path('rules.yml')}]
alerting:
  alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:${alertmanager}'] }] }]
scrape_configs:
  - job_name: haproxy
    static_configs: [{ targets: ['127.0.0.1:${this.stats}'] }]
`,
    );
    this.start('alertmanager', 'prometheus-alertmanager', [
      `--config.file=${amConfig}`,
      `--storage.path=${this.path('alertmanager')}`,
      `--web.listen-address=127.0.0.1:${alertmanager}`,
      '--cluster.listen-address=',
    ]);
    this.start('prometheus', 'prometheus', [
      `--config.file=${config}`,
      `--storage.tsdb.path=${this.path('prometheus')}`,
      `--web.listen-address=127.0.0.1:${prometheus}`,
    ]);
    this.prometheus = `http://127.0.0.1:${prometheus}`;
    await until('Alertmanager to be ready', () => answers(`http://127.0.0.1:${alertmanager}/-/ready`));
    await until('Prometheus to be ready', () => answers(`${this.prometheus}/-/ready`));
    await until('Prometheus to see HAProxy', async () => {
      const answer = await fetch(`${this.prometheus}/api/v1/query?query=up`, { signal: AbortSignal.timeout(2000) });
      const { data } = await answer.json();
      return data.result.some((series) => series.value[1] === '1');
    });
  }

  // --- the browser ---

  async browser() {
    this.chromium ??= await chromium.launch({
      executablePath: findBrowser(),
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    return this.chromium;
  }

  /** A browser of its own (cookies, storage) with one page; what goes wrong in it lands in `page.faults`. */
  async visitor(options = {}) {
    const browser = await this.browser();
    const context = await browser.newContext({
      baseURL: this.url,
      viewport: { width: 1440, height: 900 },
      colorScheme: 'light',
      timezoneId: 'UTC',
      locale: 'en-GB',
      ...options,
    });
    context.setDefaultTimeout(PATIENCE * 1000);
    await watch(context);
    return context.newPage();
  }

  async stop() {
    await this.chromium?.close();
    // The last one started goes first, so that nobody sees a neighbour die.
    for (const program of this.programs.reverse()) await program.stop();
    if (process.env.KEEP_WORLD) console.log(`kept: ${this.folder}`);
    else fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

function findBrowser() {
  const names = ['chromium', 'google-chrome', 'google-chrome-stable'];
  const places = (process.env.PATH ?? '').split(':').flatMap((folder) => names.map((name) => path.join(folder, name)));
  // Playwright's own browser, fetched by tests/run where the distribution has none.
  return process.env.AFTERLOAD_BROWSER ?? places.find((place) => fs.existsSync(place)) ?? chromium.executablePath();
}

/** Notes console errors, page errors, violations of the content security policy and layout shifts. */
async function watch(context) {
  await context.addInitScript(() => {
    globalThis.seen = { violations: [], shift: 0, moved: [] };
    document.addEventListener('securitypolicyviolation', (event) => {
      globalThis.seen.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`);
    });
    try {
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) {
          if (entry.hadRecentInput) continue;
          globalThis.seen.shift += entry.value;
          for (const { node, previousRect: from, currentRect: to } of entry.sources ?? []) {
            const name = node ? (node.outerHTML ?? node.textContent).slice(0, 80) : 'something that is gone';
            globalThis.seen.moved.push(`${name} from ${[from.x, from.y, from.width, from.height]} to ${[to.x, to.y, to.width, to.height]}`);
          }
        }
      }).observe({ type: 'layout-shift', buffered: true });
    } catch {
      // A browser without this measurement shifts nothing that we could tell.
    }
  });
  context.on('page', (page) => {
    page.faults = [];
    page.on('pageerror', (error) => page.faults.push(`script: ${error.message}`));
    page.on('console', (message) => {
      // That a form was refused or a page forbidden is an answer; the browser logs it all the same.
      if (message.type() !== 'error' || /with a status of (403|409|412|422)\b/.test(message.text())) return;
      page.faults.push(`console: ${message.text()} (${message.location().url})`);
    });
  });
}
