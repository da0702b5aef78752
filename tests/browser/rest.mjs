// A client of the REST API that notes which routes it used, to hold them against the OpenAPI document.
import assert from 'node:assert/strict';

export class Rest {
  constructor(base, token) {
    this.base = base;
    this.token = token;
    this.used = new Set();
  }

  /** One request; fails with the whole answer when its status is not `expect`. */
  async ask(method, path, { body, expect = method === 'POST' ? 201 : 200, headers = {}, type = 'application/json' } = {}) {
    this.used.add(`${method} ${path.split('?')[0]}`);
    const json = body !== undefined && type === 'application/json';
    const response = await fetch(this.base + path, {
      method,
      headers: { ...(this.token && { authorization: `Bearer ${this.token}` }), ...(body !== undefined && { 'content-type': type }), ...headers },
      body: json ? JSON.stringify(body) : body,
      signal: AbortSignal.timeout(90_000),
    });
    const text = await response.text();
    assert.equal(response.status, expect, `${method} ${path} answered ${response.status}: ${text.slice(0, 1500)}`);
    const kind = response.headers.get('content-type') ?? '';
    if (response.status >= 400 && path.startsWith('/api/')) assert.match(kind, /application\/problem\+json/, `${method} ${path}`);
    return { response, text, json: /json/.test(kind) && text ? JSON.parse(text) : undefined };
  }

  async get(path, options) {
    return (await this.ask('GET', path, options)).json;
  }

  async post(path, body, options) {
    return (await this.ask('POST', path, { body, ...options })).json;
  }

  /** Changes something as everybody must: with the version that was seen. */
  async patch(path, body, options) {
    const { response } = await this.ask('GET', path);
    return (await this.ask('PATCH', path, { body, headers: { 'if-match': response.headers.get('etag') }, ...options })).json;
  }

  async delete(path, options) {
    return this.ask('DELETE', path, { expect: 204, ...options });
  }

  /** The used routes that the document does not have. */
  undocumented(document) {
    const known = Object.entries(document.paths).flatMap(([path, item]) => {
      const pattern = new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{[^}]+\}/g, '[^/]+')}$`);
      return Object.keys(item).map((method) => ({ method: method.toUpperCase(), pattern }));
    });
    const said = ({ method, pattern }, route) => route.startsWith(`${method} `) && pattern.test(route.slice(method.length + 1));
    return [...this.used].filter((route) => !known.some((one) => said(one, route)));
  }

  /** Reads server-sent events until `enough(events)`; `after` is the id that was seen last. */
  async events(path, after, enough) {
    this.used.add(`GET ${path.split('?')[0]}`);
    const ended = new AbortController();
    const late = setTimeout(() => ended.abort(), 90_000);
    const events = [];
    try {
      const response = await fetch(this.base + path, {
        headers: { authorization: `Bearer ${this.token}`, 'last-event-id': String(after) },
        signal: ended.signal,
      });
      assert.equal(response.status, 200);
      let text = '';
      for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
        text += part;
        for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
          const lines = text.slice(0, end).split('\n').map((line) => line.match(/^(id|event|data): ?(.*)/)?.slice(1));
          const event = Object.fromEntries(lines.filter(Boolean));
          if (event.event) events.push(event);
          // After each one: how many come in one part of the stream is chance.
          if (enough(events)) return events;
        }
      }
      assert.fail(`the stream ended after ${events.map((event) => event.event)}`);
    } finally {
      clearTimeout(late);
      ended.abort();
    }
  }
}
