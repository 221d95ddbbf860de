// https
import { word } from './modules/remote_part.js';

export default function () {
  console.log(word, import.meta.resolve('./x.js').split('/').slice(3).join('/'));
}
