import exec from 'k6/execution';
exec.test.abort('no use');
export default function () { console.log('never'); }
