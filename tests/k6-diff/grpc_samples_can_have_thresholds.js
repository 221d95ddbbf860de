// differs in series, stdout: for a method with one response, k6 ends the stream at the response and tags it with the status; here the server ends it
// flags: -i 3
import grpc from 'k6/net/grpc';
import { check, group } from 'k6';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

export const options = {
  thresholds: {
    grpc_req_duration: ['p(95)<60000'],
    'grpc_req_duration{method:Wait}': ['avg<60000'],
    'grpc_req_duration{status:5}': ['max<0'],
    grpc_streams: ['count==3'],
    grpc_streams_msgs_sent: ['count>5'],
    grpc_streams_msgs_received: ['count>100'],
  },
};

export default function () {
  if (__ITER === 0) client.connect(__ENV.GRPC, { plaintext: true });
  group('calls', () => {
    const response = client.invoke('lab.v1.Lab/Wait', { millis: 1 }, { tags: { own: 'tag' } });
    check(response, { 'status is OK': (r) => r && r.status === grpc.StatusOK });
    client.invoke('lab.v1.Lab/Fail', { code: 5 });
  });
  const stream = new grpc.Stream(client, 'lab.v1.Lab/Sum');
  stream.write({ value: 1 });
  stream.write({ value: 2 });
  stream.end();
}
