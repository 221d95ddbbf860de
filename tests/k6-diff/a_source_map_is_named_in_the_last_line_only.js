//# sourceMappingURL=missing.js.map
export const options = { iterations: 1 };
export default function () {
  console.log('runs', '//# sourceMappingURL=data:nonsense');
}
//@ sourceMappingURL=missing.js.map
