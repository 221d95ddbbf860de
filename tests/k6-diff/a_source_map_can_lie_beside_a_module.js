import main from './modules/bundle/main.js';
export const options = { iterations: 1 };
export default function () {
  main();
}
