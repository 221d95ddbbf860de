// Requests to a target system: JSON in, JSON out, an id on each, and a check that names the status.

import http from 'k6/http';
import { check } from 'k6';
import { BASE_URL, id, timing, TIMEOUT } from './plan.js';

// The number of requests that this virtual user has sent in its iteration, by any client.
let iteration = -1;
let sent = 0;

// An expired login is not a failure if a client can log in again.
const UNTIL_EXPIRED = http.expectedStatuses({ min: 200, max: 399 }, 401);

// A client that sends the headers with each request and numbers the requests of an iteration. `renew`, if given, logs
// in again and gives the headers of the new login, or null: a request that is answered with 401 is sent once more.
export class Client {
  constructor(headers, renew = null) {
    this.headers = { 'Content-Type': 'application/json', ...headers };
    this.renew = renew;
  }

  // Options of the next request; `name` is its endpoint in reports, with {} for variable parts.
  parameters(name) {
    if (iteration !== __ITER) {
      iteration = __ITER;
      sent = 0;
    }
    sent += 1;
    return { headers: { ...this.headers, 'X-Request-Id': id(sent) }, tags: { name }, timeout: TIMEOUT };
  }

  // Sends by `ask`, which receives the options of a request.
  send(name, ask) {
    const options = this.parameters(name);
    const response = timing(ask(this.renew ? { ...options, responseCallback: UNTIL_EXPIRED } : options));
    if (response.status !== 401 || !this.renew) {
      return response;
    }
    this.headers = { ...this.headers, ...this.renew() };
    return timing(ask(this.parameters(name)));
  }

  get(path, name = `GET ${path}`) {
    return this.send(name, (options) => http.get(`${BASE_URL}${path}`, options));
  }

  post(path, body, name = `POST ${path}`) {
    const text = body === undefined ? null : JSON.stringify(body);
    return this.send(name, (options) => http.post(`${BASE_URL}${path}`, text, options));
  }
}

// True when the response has the status; counted as a check of the endpoint.
export function expect(response, status, what) {
  return check(response, { [`${what}: status ${status}`]: (r) => r.status === status });
}
