// flags: -c does-not-exist.json
// differs in log: wording
export default function () {}
