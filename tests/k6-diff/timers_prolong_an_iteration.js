export const options = { iterations: 1, thresholds: { iteration_duration: ['min>=200', 'max<2000'] } };
export default function () {
  setTimeout(() => console.log('later'), 200);
  console.log('now');
  Promise.resolve().then(() => console.log('soon'));
}
