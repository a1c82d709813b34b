/** The far side of the synckit rows: the same function as the tasks of the typed rows. */
import { runAsWorker } from 'synckit';

runAsWorker((left: number, right: number) => left + right);
