// flags: --log-format nope
export default function () { console.log('as text'); }
