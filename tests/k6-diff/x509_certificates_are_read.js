import x509 from 'k6/crypto/x509';
export const options = { iterations: 1 };
const rsa = `-----BEGIN CERTIFICATE-----
MIIEYDCCA0igAwIBAgIUcpqNOi5b94ESKE1ez8gUECP1gvkwDQYJKoZIhvcNAQEL
BQAwgZwxCzAJBgNVBAYTAkRFMQswCQYDVQQIDAJCWTEMMAoGA1UEBwwDTXVjMQww
CgYDVQQKDANPcmcxCzAJBgNVBAsMAlUxMQswCQYDVQQLDAJVMjETMBEGA1UEAwwK
Y24uZXhhbXBsZTEUMBIGCSqGSIb3DQEJARYFYUBiLmMxDjAMBgNVBBEMBTgwMzMx
MQ8wDQYDVQQJDAZNYWluIDEwHhcNMjYxMTI0MDUzOTI2WhcNMzYxMTIxMDUzOTI2
WjCBnDELMAkGA1UEBhMCREUxCzAJBgNVBAgMAkJZMQwwCgYDVQQHDANNdWMxDDAK
BgNVBAoMA09yZzELMAkGA1UECwwCVTExCzAJBgNVBAsMAlUyMRMwEQYDVQQDDApj
bi5leGFtcGxlMRQwEgYJKoZIhvcNAQkBFgVhQGIuYzEOMAwGA1UEEQwFODAzMzEx
DzANBgNVBAkMBk1haW4gMTCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEB
AJeGx77rGz40YuKiXye4bV1Zi6mpcnOvS9OWKkgQT3xO4Pd+T/ynwuAqVnln473+
xRpXwnw6opRzd4d+vGis/qJgaYTViuB+qAm4eJ4DD047jONmInzuo0lE1qPsynGJ
e7s0vQrvxEl8TTTdBMWiuBhn9wJybbpCYkn6oY3+Wj76AhDsPqMckqDa36DmHApY
tWamNWUnNlgaA5GQ/9CTyCgrf99mMpWTZvDkkc0ywCCui9OOVgoNIWo5WTO4at8o
xuigOdogFYN22XGOgNXisjBaFyJiqVVWkqAyy3pfE8pxhBWoO4hfasMoOAhEgck9
uvi01KcsMnt5xeWgpdr+9lkCAwEAAaOBlzCBlDAdBgNVHQ4EFgQUEN6+8uGbeYz5
znO9E8RWyNL5+MgwHwYDVR0jBBgwFoAUEN6+8uGbeYz5znO9E8RWyNL5+MgwDwYD
VR0TAQH/BAUwAwEB/zBBBgNVHREEOjA4gglhLmV4YW1wbGWCCWIuZXhhbXBsZYcE
fwAAAYEFeEB5LnqGE2h0dHBzOi8vdS5leGFtcGxlL3AwDQYJKoZIhvcNAQELBQAD
ggEBACo+y8U0UkIyQlDv5PtqmQ8/ind64BIvf2q561fLl81QikKvptIDEuAeFsfz
mxjf5a0u8p51kUAzHHrdAp3d+/7QfryNSYLpwyV+uzJXE6KBZ3Pr7CzesEcKJjzY
tXtNM9V4CagQUQ+eJGNXchEbNKptEoj1guDpmbaXKV6Kqcndy3M6ikDpzmOyJDPs
wDYvOKi8Bng/SVtacEWZEAY7slpBvnnVMNBMUtM4UwGpVrg58TZbuNOhjiptgsfq
C8dRcbM3jjJEUCdPFxw4NBNxBFO3c8nK50E9d7G1xjvCXzdR4/IaVvv1oKhM8NaD
jPgFjRZ5xdchXN1S7WR+WYV8S+4=
-----END CERTIFICATE-----
`;
const ec = `-----BEGIN CERTIFICATE-----
MIIBfjCCASWgAwIBAgIUEfREtyjiwwJiHyCLYfAVCwQV+6MwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKZWMuZXhhbXBsZTAeFw0yNjExMjQwNTM5MjZaFw0zNjExMjEw
NTM5MjZaMBUxEzARBgNVBAMMCmVjLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAR9zcGq50Nh1+IZrsBdaaPU1LOpGLmPmjDA+VFw5DvctqhkIeow8uns
zKPdX/EthpL+3Uwe3SQFGDuKNUWY135Ho1MwUTAdBgNVHQ4EFgQUVXrjwsyyCT/H
8YpbnSQxDfdyDmUwHwYDVR0jBBgwFoAUVXrjwsyyCT/H8YpbnSQxDfdyDmUwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiBLi5SC38OYyrwtJl0u+jv5
7D4l/SMYcrS0d9Mgfrd0CQIgVecU6Z0Jd5a7TVVVRo8RGjLWw8rbYQO5vhBDXEzR
C1E=
-----END CERTIFICATE-----
`;
const sorted = (value) => {
  if (typeof value === 'bigint') return value.toString();
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  const copy = {};
  for (const key of Object.keys(value).sort()) copy[key] = sorted(value[key]);
  return copy;
};
const attempt = (f) => {
  try {
    console.log(JSON.stringify(sorted(f())));
  } catch (e) {
    console.log(String(e));
  }
};
export default function () {
  const whole = x509.parse(rsa);
  for (const key of ['subject', 'issuer', 'notBefore', 'notAfter', 'altNames', 'signatureAlgorithm', 'fingerPrint']) {
    attempt(() => whole[key]);
    attempt(() => x509.parse(ec)[key]);
  }
  console.log(whole.publicKey.algorithm, whole.publicKey.key.n, whole.publicKey.key.e, x509.parse(ec).publicKey.algorithm);
  attempt(() => x509.getSubject(rsa));
  attempt(() => x509.getIssuer(rsa));
  attempt(() => x509.getAltNames(rsa));
  attempt(() => x509.parse('x'));
  attempt(() => x509.parse('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'));
  attempt(() => x509.getAltNames());
  attempt(() => x509.getIssuer(5));
}
