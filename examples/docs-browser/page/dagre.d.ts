/** The site serves the installed library under this name. */
export { graphlib, layout } from '@dagrejs/dagre';
