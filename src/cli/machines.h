/* machines.h - the machines of an instance that run although its daemon does not. */
#ifndef CLI_MACHINES_H
#define CLI_MACHINES_H

/* How many machines that are no build's live, by what <run_dir>/m says of them
 * (docs/data-layout.md). These are running microVMs and the pool's clones, which look the same from
 * here. */
unsigned machines_alive(const char *run_dir);

#endif
