/** What webpack takes for the constructor of a worker: a task's url goes through it and becomes that of a bundle. */
export const entry = (url: URL): URL => url;
