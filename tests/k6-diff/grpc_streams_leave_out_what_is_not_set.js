// differs in series: for a method with one response, k6 ends the stream at the response and tags it with the status; here the server ends it
import grpc from 'k6/net/grpc';
import { sorted } from './modules/attempts.js';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  const stream = new grpc.Stream(client, 'lab.v1.Lab/Echo');
  stream.on('data', (message) => console.log('data', JSON.stringify(sorted(message))));
  stream.on('end', () => console.log('end'));
  stream.write({ aString: 'x', longs: [5], inner: {}, at: '2024-01-02T03:04:05Z', colour: 'RED', aDouble: 1.5, anInt64: 5 });
  stream.end();
}
