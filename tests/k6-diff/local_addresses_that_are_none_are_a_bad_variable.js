// env: K6_LOCAL_IPS=nope
export default function () {}
