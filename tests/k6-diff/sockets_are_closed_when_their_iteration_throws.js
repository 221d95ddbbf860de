import exec from 'k6/execution';
import { WebSocket } from 'k6/experimental/websockets';

export const options = { iterations: 3 };

const ways = [
  function thrownByOpen(socket) {
    socket.onopen = () => { throw new Error('by open'); };
  },
  function thrownByTimer(socket) {
    socket.onopen = () => setTimeout(() => { throw new Error('by timer'); }, 10);
  },
  function rejected(socket) {
    socket.onopen = async () => { throw new Error('by promise'); };
  },
];

export default function () {
  const way = ways[exec.scenario.iterationInTest];
  console.log(way.name);
  const socket = new WebSocket(`${__ENV.SOCKET}/echo`);
  socket.onclose = () => console.log('close');
  socket.onerror = (event) => console.log(`error ${event.error.split(' at ')[0]}`);
  way(socket);
}

export function handleSummary(data) {
  return { stdout: `${Object.keys(data.metrics).filter((m) => m.startsWith('ws_')).sort().join()}\n` };
}
