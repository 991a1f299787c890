/* node.h - Node's share: Node keeps random bytes of its own in JavaScript, for the UUIDs and
 * integers to come, and node.cjs takes them away.  Node has no file of settings that could name
 * node.cjs, and the environment is the user's, so a Node that loads this provider is started again
 * with it. */
#ifndef PROVIDER_NODE_H
#define PROVIDER_NODE_H

/* Does nothing if this process is no Node or has node.cjs already.  It runs before Node's first
 * script and before anything was read or written, with the same process id, arguments and files. */
void node_start_again(void);

#endif
