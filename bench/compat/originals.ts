/** The packages that the drop-ins stand in for, in the versions beside which they are measured and tried. */
export const ORIGINALS = {
  synckit: '0.12.3',
  'make-synchronized': '0.8.0',
  'sync-message-port': '1.2.0',
  'sync-child-process': '1.1.1',
  tinypool: '2.2.0',
  piscina: '5.3.2',
} as const;

export type Original = keyof typeof ORIGINALS;
