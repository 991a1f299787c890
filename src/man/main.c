/* main.c - doze-man PAGE prints a manual page.  The build runs it; it is not installed. */

#include <string.h>

#include "man/man.h"

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		man_page *print;
	} pages[] = {
		{ "doze.1", page_doze },
		{ "doze.ini.5", page_ini },
		{ "dozed.8", page_dozed },
	};

	for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(pages); i++)
		if (!strcmp(argv[1], pages[i].name)) {
			pages[i].print(stdout);
			return fflush(stdout) ? 1 : 0;
		}
	fputs("usage: doze-man doze.1|doze.ini.5|dozed.8\n", stderr);
	return 1;
}
