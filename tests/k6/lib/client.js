// Requests to a target system: JSON in, JSON out, an id on each, and a check that names the status.

import http from 'k6/http';
import { check } from 'k6';
import { BASE_URL, id, timing, TIMEOUT } from './plan.js';

// How many requests this virtual user has sent in its iteration, by whichever client.
let iteration = -1;
let sent = 0;

// A client that sends the headers with each request and numbers the requests of an iteration.
export class Client {
  constructor(headers) {
    this.headers = { 'Content-Type': 'application/json', ...headers };
  }

  // Options of the next request; `name` is its endpoint in reports, with {} for what varies.
  parameters(name) {
    if (iteration !== __ITER) {
      iteration = __ITER;
      sent = 0;
    }
    sent += 1;
    return { headers: { ...this.headers, 'X-Request-Id': id(sent) }, tags: { name }, timeout: TIMEOUT };
  }

  get(path, name = `GET ${path}`) {
    return timing(http.get(`${BASE_URL}${path}`, this.parameters(name)));
  }

  post(path, body, name = `POST ${path}`) {
    const text = body === undefined ? null : JSON.stringify(body);
    return timing(http.post(`${BASE_URL}${path}`, text, this.parameters(name)));
  }
}

// True when the response has the status; counted as a check of the endpoint.
export function expect(response, status, what) {
  return check(response, { [`${what}: status ${status}`]: (r) => r.status === status });
}
