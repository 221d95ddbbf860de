// flags: --local-ips nope
export default function () {}
