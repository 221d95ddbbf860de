// differs in console, series: the message decoder has its own error texts, and k6 counts such a response with status 0
import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  for (const text of ['bytes', 'twice', 'page', 'reset', 'refused', 'no trailers']) {
    attempt(text, () => {
      const { status, error } = client.invoke('lab.v1.Lab/Odd', { text });
      return [status, error.code, error.message];
    });
  }
  attempt('a stream', () => client.invoke('lab.v1.Lab/Count', { count: 2 }).error);
  attempt('one of a stream', () => client.invoke('lab.v1.Lab/Count', { count: 1 }).message);
  attempt('to a stream', () => client.invoke('lab.v1.Lab/Sum', { value: 2 }).message);
  client.close();
}
