// differs in series: with the system tag `ip`, k6 tags gRPC samples with the address of the server; here they do not have it
// flags: --system-tags=url,name,method,service,rpc_type,status,ip,group,scenario,vu,iter,proto,error,error_code,expected_response --tag run=yes
import { group } from 'k6';
import exec from 'k6/execution';
import grpc from 'k6/net/grpc';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

export const options = { scenarios: { calls: { executor: 'per-vu-iterations', vus: 1, iterations: 2, tags: { own: 'scenario' } } } };

export default function () {
  exec.vu.tags.step = `${exec.vu.iterationInScenario}`;
  exec.vu.metrics.metadata.trace = 'id';
  client.connect(__ENV.GRPC, { plaintext: true });
  group('outer', () => {
    client.invoke('lab.v1.Lab/Wait', { millis: 1 }, { tags: { own: 'call' } });
    client.invoke('/lab.v1.Lab/Fail', { code: 5 });
    client.invoke('lab.v1.Lab/Wait', { millis: 900 }, { timeout: 20 });
  });
  const stream = new grpc.Stream(client, 'lab.v1.Lab/Count', { tags: { own: 'stream' } });
  stream.on('end', () => client.close());
  stream.write({ count: 2, millis: 1 });
  stream.end();
}
