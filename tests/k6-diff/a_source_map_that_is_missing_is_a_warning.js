export const options = { iterations: 1 };
export default function () {
  console.log('runs');
}
//# sourceMappingURL=nowhere.js.map
