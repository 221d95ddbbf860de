import { nope } from './modules/a_folder_whose_name_is_long_enough_for_any_message/part.js';
import { ignored } from './modules/a_folder_whose_name_is_long_enough_for_any_message/common.js';

export default function () {
  console.log(nope, ignored);
}
