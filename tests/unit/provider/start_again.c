/* A program that is called `node`.  It is started again if it is Node, which is known by what it
 * offers to its extensions, and once. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provider/node.h"

#if LIKE_NODE
int napi_get_node_version(void *env, const void **version);

int napi_get_node_version(void *env, const void **version)
{
	(void)env;
	*version = NULL;
	return 0;
}
#endif

int main(void)
{
	const char *options = getenv("NODE_OPTIONS");
	bool again = options && strstr(options, "--require=" NODE_SCRIPT);

	if (!again)
		node_start_again();
	if (again == LIKE_NODE)
		return 0;
	fprintf(stderr, again ? "it was started again\n" : "it was not started again\n");
	return 1;
}
