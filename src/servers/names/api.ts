/**
 * Joins this agent to the name server: from here on its `spawn` registers there, and its `lookup` finds there. The room
 * of tasks knows no server; it states what it needs of one (tasks/names.ts), and is given it by who assembles an agent.
 */
import { setNameServer } from '../../tasks/names.ts';
import * as server from './server.ts';

export const joinNames = (): void => setNameServer(server);
