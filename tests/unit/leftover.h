/* leftover.h - does memory go back to the allocator with a text in it?  For binaries that are
 * linked with --wrap=free and --wrap=realloc. */
#ifndef TESTS_LEFTOVER_H
#define TESTS_LEFTOVER_H

#include <stddef.h>

/* Look for @text from now on; NULL: for nothing. */
void leftover_watch(const char *text);
unsigned leftover_found(void); /* since leftover_watch */

#endif
