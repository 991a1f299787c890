/* page_dozed.c - dozed(8), from the options of its parser. */

#include "dozed/options.h"
#include "man/man.h"

void page_dozed(FILE *to)
{
	static const struct mdoc_term signals[] = {
		{ "Dv", "SIGINT",
		  "Suspend every microVM, then end. This takes as long as the saves do; a part of "
		  "dozed is killed only when it has said nothing for ten minutes while it saves, "
		  "or "
		  "for one minute otherwise." },
		{ "Dv", "SIGTERM",
		  "End within 15 seconds and leave the microVMs running. The next start takes them "
		  "over." },
	};
	static const struct mdoc_term files[] = {
		{ "Pa", "/etc/doze/doze.ini", "The configuration. See doze.ini(5)." },
		{ "Pa", "/var/lib/doze",
		  "State: the database, images, microVMs, objects and secrets." },
		{ "Pa", "/run/doze",
		  "Sockets, and the pid file dozed.pid, locked while dozed runs." },
		{ "Pa", "/var/log/doze", "Logs of the daemon, of builds and of microVMs." },
	};
	static const struct mdoc_term status[] = {
		{ NULL, "0", "It ended cleanly." },
		{ NULL, "1", "It could not start, or a part of it could not." },
		{ NULL, "3", "It was told to end, and a part of it did not end cleanly." },
	};

	mdoc_begin(to, "DOZED", 8, "dozed", "the daemon of doze");
	fputs(".Sh SYNOPSIS\n.Nm\n", to);
	for (const struct argp_option *o = dozed_options; o->name; o++) {
		fputs(".Op", to);
		mdoc_option(to, '\0', o->name, o->arg);
		fputc('\n', to);
	}
	fputs(".Sh DESCRIPTION\n.Nm\n", to);
	mdoc_line(to, "starts the parts that serve doze, each as a user of its own, and starts one "
		      "again that ends unasked.");
	mdoc_text(to, "It needs root. Use doze(1) to start and stop it, or the systemd unit "
		      "doze.service.");
	fputs(".Pp\n", to);
	mdoc_text(to, "The options are:");
	fputs(".Bl -tag -width Ds\n", to);
	for (const struct argp_option *o = dozed_options; o->name; o++) {
		fputs(".It", to);
		mdoc_option(to, (char)o->key, o->name, o->arg);
		fputc('\n', to);
		mdoc_text(to, o->doc);
	}
	fputs(".El\n.Sh SIGNALS\n", to);
	mdoc_terms(to, signals, ARRAY_SIZE(signals));
	fputs(".Sh FILES\n", to);
	mdoc_text(to, "The directories of the instance NAME end in -NAME.");
	mdoc_terms(to, files, ARRAY_SIZE(files));
	fputs(".Sh EXIT STATUS\n", to);
	mdoc_terms(to, status, ARRAY_SIZE(status));
	fputs(".Sh SEE ALSO\n.Xr doze 1 ,\n.Xr doze.ini 5\n", to);
}
