// env: K6_LOCAL_IPS=nope
// differs in log: wording
export default function () {}
