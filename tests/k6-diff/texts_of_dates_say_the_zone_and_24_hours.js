// env: TZ=America/New_York
export default function () {
  const date = new Date(Date.UTC(2024, 0, 2, 20, 4, 5));
  for (const one of [date, new Date(Date.UTC(2024, 6, 2, 4, 4, 5)), new Date(-1e14), new Date(NaN)]) {
    console.log(one.toString(), '|', one.toTimeString(), '|', one.toDateString(), '|', one.toUTCString());
    console.log(one.toLocaleString(), '|', one.toLocaleDateString(), '|', one.toLocaleTimeString(), '|', `${one}`, '|', one + '');
  }
  console.log(date.toLocaleString('en-GB', { timeZone: 'UTC' }));
  const { name, length } = Date.prototype.toString;
  console.log(name, length, Object.keys(Date.prototype).length);
  try {
    Date.prototype.toString.call(5);
  } catch (error) {
    console.log(String(error));
  }
}
