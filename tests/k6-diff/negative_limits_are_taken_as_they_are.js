// flags: --max-redirects -1 --batch -1 --batch-per-host -1
export default function () { console.log('runs'); }
