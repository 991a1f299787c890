/* page_ini.c - doze.ini(5), from the table of keys. */

#include <string.h>

#include "conf/conf.h"
#include "man/man.h"

static void key(FILE *to, const struct conf_row *row)
{
	fputs(".It Va", to);
	mdoc_word(to, row->name);
	fputc('\n', to);
	mdoc_line(to, row->help);
	fputs(".br\n", to);
	if (row->number)
		fprintf(to, "From %lld to %lld, by default %s.\n", (long long)row->low,
			(long long)row->high, row->fallback);
	else if (row->words)
		fprintf(to, "One of: %s.\nBy default\n.Ql %s .\n", row->words, row->fallback);
	else if (*row->fallback)
		fprintf(to, "By default\n.Ql %s .\n", row->fallback);
	else
		fputs("Empty by default.\n", to);
}

void page_ini(FILE *to)
{
	const char *section = "";

	mdoc_begin(to, "DOZE.INI", 5, "doze.ini", "the configuration of doze");
	fputs(".Sh SYNOPSIS\n.Pa /etc/doze/doze.ini\n.Pp\n.Pa /etc/doze\\-NAME/doze.ini\n"
	      ".Sh DESCRIPTION\n",
	      to);
	mdoc_text(to,
		  "The daemon dozed(8) reads this file when it starts, and doze(1) reads it with "
		  "every command. It consists of lines of the form key = value below the name of "
		  "a section in brackets. Every key is optional. A key that doze does not know, "
		  "or a value out of its range, is an error that names the key and what is "
		  "allowed.");
	for (size_t i = 0; i < conf_n_rows(); i++) {
		const struct conf_row row = conf_row(i);

		if (strcmp(section, row.section) != 0)
			fprintf(to, "%s.Ss [%s]\n.Bl -tag -width Ds\n", *section ? ".El\n" : "",
				row.section);
		section = row.section;
		key(to, &row);
	}
	fputs(".El\n.Sh EXAMPLES\n.Bd -literal\n[service]\napi_port = 9020\n\n[machine]\n"
	      "memory_percent = 50\n.Ed\n.Sh SEE ALSO\n.Xr doze 1 ,\n.Xr dozed 8\n",
	      to);
}
