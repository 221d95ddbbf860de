export default function* () { console.log('gen'); yield 1; }
