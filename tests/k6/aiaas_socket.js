// WebSocket connections that stay open: each subscribes to a room of ROOM_USERS (100) and sends a message every
// PERIOD_S seconds (10), for HOLD_S seconds (60).
//
//   k6 run -u 1000 -e PERF_BASE_URL=http://localhost:8000 tests/k6/aiaas_socket.js
//
// Exports: hold (default), and talk: connections that send MESSAGES_PER_S (52) for TALK_S seconds (2), in no room. A
// little more than fifty, since a connection that was closed sends nothing until the next one is open.
//
// One address has about 28 000 ports to connect from: more connections need --local-ips.

import ws from 'k6/ws';
import { check } from 'k6';
import { Rate, Trend } from 'k6/metrics';
import { BASE_URL, id, options as plan } from './lib/plan.js';

export const options = plan({
  vus: 100,
  iterations: 100,
  thresholds: { websocket_message_ms: ['p(99)<100'], websocket_answered: ['rate==1'], checks: ['rate==1'] },
});

const number = (name, otherwise) => Number(__ENV[name] || otherwise);
const HOLD_MS = number('HOLD_S', '60') * 1000;
const PERIOD_MS = number('PERIOD_S', '10') * 1000;
const ROOM_USERS = number('ROOM_USERS', '100');
const TALK_MS = number('TALK_S', '2') * 1000;
const MESSAGES_PER_MS = number('MESSAGES_PER_S', '52') / 1000;
// How often a talker checks whether messages are due.
const LOOK_MS = 20;
const URL = `${BASE_URL.replace(/^http/, 'ws')}/api/v1/ws`;

const messageTime = new Trend('websocket_message_ms', true);
const answered = new Rate('websocket_answered');

// The id of a message; undefined if it cannot be read.
function idOf(text) {
  try {
    return JSON.parse(text).id;
  } catch (_) {
    return undefined;
  }
}

// Opens a connection; `begin` is called with the socket and with a function that sends a message.
function converse(lasts_ms, begin) {
  const waiting = new Map();
  let sent = 0;
  const response = ws.connect(URL, { tags: { name: 'WS /api/v1/ws' } }, (socket) => {
    const send = (message) => {
      sent += 1;
      const key = id(sent);
      waiting.set(key, Date.now());
      socket.send(JSON.stringify({ ...message, id: key }));
    };
    socket.on('open', () => {
      begin(socket, send);
      // The last second is for responses that are still in transit.
      socket.setTimeout(() => socket.close(), lasts_ms);
    });
    socket.on('message', (text) => {
      const key = idOf(text);
      if (waiting.has(key)) {
        messageTime.add(Date.now() - waiting.get(key));
        waiting.delete(key);
        answered.add(true);
      }
    });
  });
  const isOpen = check(response, { 'socket: switched protocols': (r) => r && r.status === 101 });
  if (!isOpen) {
    // Its messages were never sent.
    answered.add(false);
  }
  for (const since of waiting.values()) {
    // A message sent within the last second may be unanswered when the socket closes.
    if (Date.now() - since > 1000) {
      answered.add(false);
    }
  }
}

export function hold() {
  const room = `room-${Math.floor((__VU - 1) / ROOM_USERS)}`;
  converse(HOLD_MS, (socket, send) => {
    send({ type: 'subscribe', room });
    socket.setInterval(() => send({ type: 'message', room }), PERIOD_MS);
  });
}

export function talk() {
  converse(TALK_MS, (socket, send) => {
    const begun = Date.now();
    let sent = 0;
    socket.setInterval(() => {
      // A late check catches up.
      for (const due = (Date.now() - begun) * MESSAGES_PER_MS; sent < Math.floor(due); sent += 1) {
        send({ type: 'message' });
      }
    }, LOOK_MS);
  });
}

export default hold;
