export const options = { iterations: 1 };
export default function () {
  console.log('plain', 1, true, null);
  console.info('with "quotes"');
  console.warn('a warning');
  console.error('an error');
  console.debug('not shown');
}
