// flags: --console-output /dev/stdout -q --log-format raw --log-output none
export const options = { iterations: 1 };
export default function () { console.debug('debugging'); console.info('info'); }
