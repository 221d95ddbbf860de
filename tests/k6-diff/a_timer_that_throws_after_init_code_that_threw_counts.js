setTimeout(() => {
  throw new Error('from a timer');
}, 10);
setTimeout(() => console.log('never'), 300);
throw new Error('from init code');
export default function () {}
