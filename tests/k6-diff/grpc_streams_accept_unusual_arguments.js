// differs in series: for a method with one response, k6 ends the stream at the response and tags it with the status; here the server ends it
import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

export default function () {
  attempt('not connected', () => new grpc.Stream(client, 'lab.v1.Lab/Chat'));
  client.connect(__ENV.GRPC, { plaintext: true });
  attempt('nothing', () => new grpc.Stream());
  attempt('no client', () => new grpc.Stream({}, 'lab.v1.Lab/Chat'));
  attempt('no method', () => new grpc.Stream(client));
  attempt('unknown method', () => new grpc.Stream(client, 'lab.v1.Lab/Nope'));
  attempt('unknown param', () => new grpc.Stream(client, 'lab.v1.Lab/Chat', { nope: 1 }));
  attempt('bad tags', () => new grpc.Stream(client, 'lab.v1.Lab/Chat', { tags: { a: {} } }));
  attempt('bad metadata', () => new grpc.Stream(client, 'lab.v1.Lab/Chat', { metadata: { a: 5 } }));
  attempt('bad name', () => new grpc.Stream(client, 'lab.v1.Lab/Chat', { metadata: { 'a b': '5' } }));
  const stream = new grpc.Stream(client, 'lab.v1.Lab/Sum');
  attempt('unknown event', () => stream.on('nope', () => 1));
  attempt('no function', () => stream.on('data', 5));
  attempt('no handler', () => stream.on('data'));
  attempt('handler', () => stream.on('status', () => 1));
  attempt('undefined', () => stream.write(undefined));
  attempt('null', () => stream.write(null));
  attempt('nothing', () => stream.write());
  stream.on('data', (message) => console.log('data', JSON.stringify(message)));
  stream.on('end', () => client.close());
  attempt('message', () => stream.write({ value: 1 }));
  attempt('end', () => stream.end());
  attempt('end again', () => stream.end());
  attempt('late', () => stream.write({ value: 1 }));
}
