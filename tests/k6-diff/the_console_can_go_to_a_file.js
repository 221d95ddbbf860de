// flags: --console-output /dev/null
export const options = { iterations: 1 };
export default function () { console.log('into the file'); console.error('this, too'); }
