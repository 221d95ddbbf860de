// flags: --secret-source=mock=token=tiger-lily
import secrets from 'k6/secrets';
export const options = { iterations: 1 };
const token = await secrets.get('token');
throw new Error(`with ${token}`);
export default function () {}
