import ws from 'k6/ws';
import { WebSocket } from 'k6/experimental/websockets';

export const options = {
  scenarios: {
    callback: { executor: 'constant-vus', vus: 1, duration: '1s', gracefulStop: '0s', exec: 'callback' },
    standard: { executor: 'constant-vus', vus: 1, duration: '1s', gracefulStop: '0s', exec: 'standard' },
  },
};

// Whether k6 calls the close handlers here depends on a race of two threads.
export function callback() {
  ws.connect(`${__ENV.SOCKET}/echo`, null, (socket) => {
    socket.on('open', () => socket.send('hi'));
  });
}

export function standard() {
  const socket = new WebSocket(`${__ENV.SOCKET}/echo`);
  socket.onopen = () => socket.send('hi');
  socket.onclose = () => console.log('closed');
}

export function handleSummary(data) {
  return { stdout: `${Object.keys(data.metrics).filter((m) => m.startsWith('ws_')).sort().join()}\n` };
}
