import { ignored, other } from './modules/a_folder_whose_name_is_long_enough_for_any_message/common.js';

export const options = { iterations: 1 };

export default function () {
  console.log(ignored, other);
}
