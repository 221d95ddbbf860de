// differs in console: if an error has details, k6 takes its message from them, which empties it; here the message is that of the server
import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  attempt('fine', () => client.invoke('/lab.v1.Lab/Wait', {}));
  attempt('failed', () => client.invoke('lab.v1.Lab/Fail', { code: 5, message: 'not here' }));
  attempt('details', () => client.invoke('lab.v1.Lab/Fail', { code: 3, message: 'bad', with_details: true }));
  attempt('missing', () => client.invoke('lab.v1.Lab/Missing', {}));
  attempt('odd', () => client.invoke('lab.v1.Lab/Odd', { text: 'status' }));
  attempt('discarded', () => client.invoke('lab.v1.Lab/Fail', { code: 5 }, { discardResponseMessage: true }));
  const response = client.invoke('lab.v1.Lab/Fail', { code: 5, message: 'x' });
  const { status, error } = response;
  console.log(Object.keys(response).join());
  console.log(typeof status, status === grpc.StatusNotFound, status === grpc.StatusOK, status === 5, status == 5);
  console.log(String(status), `${status}`, status + 1, status > 3, [status].includes(grpc.StatusNotFound));
  console.log(status, [status], JSON.stringify({ status }), isNaN(status), Number(status));
  console.log(String(error), typeof error.code, error.code, error.message, JSON.stringify(error.details), error instanceof Error);
  switch (status) {
    case grpc.StatusOK:
      console.log('OK');
      break;
    case grpc.StatusNotFound:
      console.log('not found');
      break;
    default:
      console.log('something else');
  }
  for (const name of Object.keys(grpc).filter((key) => key.startsWith('Status')).sort()) {
    console.log(name, grpc[name], String(grpc[name]));
  }
  client.close();
}
