setTimeout(() => console.log('later'), 30);
setTimeout(() => console.log('later still'), 60);
throw new Error('from init code');
export default function () {}
