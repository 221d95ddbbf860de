// flags: --log-output stdout --log-format raw
export const options = { iterations: 1 };
export default function () { console.log('on stdout'); }
