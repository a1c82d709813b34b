/** A thread that wants a core and never stops wanting it. */
export {};
for (;;);
