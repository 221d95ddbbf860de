// flags: -i 3 -u 1
export const options = { vus: 4, duration: '30s' };
export default function () { console.log(__ITER); }
