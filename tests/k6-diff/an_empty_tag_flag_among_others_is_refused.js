// flags: --tag= --tag a=b
// differs in log: wording
export default function () {}
