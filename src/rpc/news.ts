/**
 * News of the supervisor that lies in the port of an agent whose loop has not come to it: side ports of tasks that were
 * started again, and ends of tasks.
 */
export let readNews: () => void = () => {};
/** The same, if somebody awaits such an end; for where it would cost too much otherwise. */
export let readAwaitedNews: () => void = () => {};

/** States how the news is read. */
export const setNewsReaders = (read: () => void, readAwaited: () => void): void => {
  readNews = read;
  readAwaitedNews = readAwaited;
};
