/** The far side of synckit's first answer, as plain JavaScript. */
import { runAsWorker } from 'synckit';

runAsWorker((/** @type {number} */ left, /** @type {number} */ right) => left + right);
