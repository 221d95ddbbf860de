// differs in console, log, summary, declarations, series, stdout: k6 1.1 does not yet have healthCheck()
import grpc from 'k6/net/grpc';

const client = new grpc.Client();

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  const response = client.healthCheck();
  console.log(response.status === grpc.StatusOK, response.message.status === grpc.HealthCheckServing);
  console.log(JSON.stringify(client.healthCheck('lab.v1.Lab').message));
  client.close();
}
