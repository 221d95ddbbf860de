// flags: -c does-not-exist.json
export default function () {}
