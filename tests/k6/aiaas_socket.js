// WebSocket connections that stay open: each subscribes to a room and sends a message every
// PERIOD_S seconds (10), for HOLD_S seconds (60).
//
//   k6 run -u 1000 -e PERF_BASE_URL=http://localhost:8000 tests/k6/aiaas_socket.js
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

const HOLD_MS = Number(__ENV.HOLD_S || '60') * 1000;
const PERIOD_MS = Number(__ENV.PERIOD_S || '10') * 1000;
const URL = `${BASE_URL.replace(/^http/, 'ws')}/api/v1/ws`;

const messageTime = new Trend('websocket_message_ms', true);
const answered = new Rate('websocket_answered');

// The id of a message; undefined where it cannot be read.
function idOf(text) {
  try {
    return JSON.parse(text).id;
  } catch (_) {
    return undefined;
  }
}

export function hold() {
  const room = `room-${__VU % 100}`;
  const waiting = new Map();
  let sent = 0;
  const response = ws.connect(URL, { tags: { name: 'WS /api/v1/ws' } }, (socket) => {
    const send = (type) => {
      sent += 1;
      const key = id(sent);
      waiting.set(key, Date.now());
      socket.send(JSON.stringify({ type, id: key, room }));
    };
    socket.on('open', () => {
      send('subscribe');
      socket.setInterval(() => send('message'), PERIOD_MS);
      // The last second is for answers that are still on their way.
      socket.setTimeout(() => socket.close(), HOLD_MS);
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

export default hold;
