// The shop behind the balancer, and its customers: a program of its own, so that a busy test never slows it.
//
// Started with the ports of the servers and of the balancer; prints one line when all of them listen.
// A server has two workers and answers in 30 ms; when more than ten requests wait, it says 503, as a real
// one with a full backlog does. All five together carry the customers with ease, one alone drowns.
import http from 'node:http';

const WORKERS = 2;
const SERVICE_MS = 30;
const BACKLOG = 10;
const REQUESTS_A_SECOND = 110;
const IN_FLIGHT = 150;

const [front, ...ports] = process.argv.slice(2).map(Number);

function server(name) {
  let busy = 0;
  const waiting = [];
  const next = () => {
    if (busy >= WORKERS || waiting.length === 0) return;
    busy += 1;
    const response = waiting.shift();
    setTimeout(() => {
      busy -= 1;
      response.writeHead(200, { 'x-node': name, 'content-type': 'text/plain' });
      response.end('the shop is open\n');
      next();
    }, SERVICE_MS);
  };
  return http.createServer((request, response) => {
    if (waiting.length >= BACKLOG) {
      response.writeHead(503, { 'x-node': name });
      response.end('too busy\n');
      return;
    }
    waiting.push(response);
    next();
  });
}

const listening = ports.map(
  (port, index) =>
    new Promise((resolve, reject) => {
      const one = server(`web${index + 1}`);
      one.on('error', reject);
      one.listen(port, '127.0.0.1', resolve);
    }),
);
await Promise.all(listening);
console.log('the shop listens');

// Any 127.a.b.c is this machine, so every customer has an address of his own.
const customers = Array.from({ length: 40 }, (_, n) => `127.${1 + (n % 4)}.${1 + (n % 7)}.${10 + n}`);
const agents = customers.map(() => new http.Agent({ keepAlive: true, maxSockets: 8 }));
let flying = 0;
let sent = 0;
let owed = 0;
let before = performance.now();
setInterval(() => {
  // By the clock: on a busy machine this comes late. What was missed for longer is not made up for.
  const now = performance.now();
  owed = Math.min(owed + ((now - before) / 1000) * REQUESTS_A_SECOND, REQUESTS_A_SECOND / 5);
  before = now;
  for (; owed >= 1 && flying < IN_FLIGHT; owed -= 1) {
    const who = sent % customers.length;
    sent += 1;
    flying += 1;
    const done = () => {
      flying -= 1;
    };
    const request = http.get(
      { host: '127.0.0.1', port: front, path: `/item/${sent % 97}`, localAddress: customers[who], agent: agents[who], timeout: 30_000 },
      (response) => {
        response.resume();
        response.on('close', done);
      },
    );
    request.on('timeout', () => request.destroy());
    request.on('error', done);
  }
}, 20);
